"""The 3D morphable face model: files, shapes, who is drawn, and the renderer."""

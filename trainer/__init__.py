"""What is trained and how, in rooms; imports run down only (tests/test_imports.py holds the order)."""

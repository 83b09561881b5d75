"""Hair, beards and glasses: where they are, what they hide, and that they move as they should."""

import dataclasses

import numpy as np
import pytest

from data_loader.morphable import sampling
from data_loader.morphable.camera import Studio
from data_loader.morphable.glasses import FRAMES, glasses
from data_loader.morphable.hair import LENGTHS, STYLES
from data_loader.morphable.sources import BEHIND, visible

PLAIN = {"hair_style": "bald", "glasses": "none", "beard": "none", "hair_volume": 1.0, "curl": 0.2, "fringe": 7.65,
         "frame_size": 1.0, "frame_weight": 1.0, "frame_drop": 0.0, "beard_length": 0.8, "grey": 0.0, "receding": 0.0}


@pytest.fixture(scope="module")
def studio(model):
    return Studio(model, 96)


def wearing(model, **look):
    """Somebody of average shape who wears this and nothing else."""
    who = sampling.identity(model, 5, 1)
    return dataclasses.replace(who, shape=np.zeros_like(who.shape),
                               look=dataclasses.replace(who.look, **{**PLAIN, **look}))


def shot(model, yaw=0.0, **units):
    one = sampling.image(model, 5, 1, 1, 0, 0, 0)
    expression = np.zeros(len(model.expression.names))
    for name, weight in units.items():
        expression[model.expression.names.index(name)] = weight
    return dataclasses.replace(one, expression=expression, yaw=yaw, zoom=0.62, shift=(0, 0))


def seen(studio, who, **pose):
    """Which of the 68 landmarks are seen, bool [68], and the picture's mask."""
    head = studio.head(who)
    view = studio.view(head, shot(studio.model, **pose))
    return visible(view, studio.model.landmarks, BEHIND * head.scale)[1], view.mask


@pytest.mark.parametrize("style", STYLES)
def test_hair_has_volume_leaves_the_face_free_and_keeps_to_the_head(studio, model, style):
    length = LENGTHS.get(style, (6.0, 6.0))[0]
    who, bald = wearing(model, hair_style=style, hair_length=length), wearing(model)
    (with_hair, more), (without, less) = seen(studio, who), seen(studio, bald)
    assert with_hair[27:].all() and without[27:].all()  # nose, eyes and mouth
    assert not ((more < 0.5) & (less > 0.9)).any() and more.sum() > less.sum() + 5
    mesh = studio.head(who).worn
    drawn = mesh.points[np.unique(mesh.triangles)]
    skin = studio.head(bald).points
    distance = np.linalg.norm(drawn[:, None] - skin[None, ::7], axis=2).min(axis=1)
    # nothing floats: what stands off further than the style is thick hangs beside the neck
    assert distance[drawn[:, 1] > skin[model.landmarks[8], 1]].max() < 0.35 + 2 * max(
        STYLES[style].top, STYLES[style].side, STYLES[style].back, STYLES[style].bun)
    assert (drawn[:, 1].min() < skin[model.landmarks[8], 1] - 0.2) == (STYLES[style].hangs and length < 5.5)


@pytest.mark.parametrize("frame", FRAMES)
def test_glasses_sit_before_the_eyes_and_hide_what_is_behind_them(studio, model, frame):
    who = wearing(model, glasses=frame)
    there, _ = seen(studio, who)
    assert there[36:48].sum() >= 11 and there[48:].all()  # lenses are empty
    mesh = studio.head(who).worn
    points = studio.head(who).points
    eyes = [points[eye].mean(axis=0) for eye in model.eyes]
    rims = mesh.points[mesh.points[:, 2] > eyes[0][2]]
    assert rims[:, 2].min() > 0 and abs(rims[:, 0].min() + rims[:, 0].max()) < 0.1  # as far to both sides
    assert rims[:, 1].min() < eyes[0][1] < rims[:, 1].max() < eyes[0][1] + 0.4
    ears = points[model.landmarks[[0, 16]]]
    assert mesh.points[:, 2].min() < ears[:, 2].max() + 0.3  # the temples reach the ears
    view = studio.view(studio.head(who), shot(model, yaw=80.0))
    worn = view.seen[len(points):]
    far, near = mesh.points[:, 0] > 0.45, mesh.points[:, 0] < -0.45
    assert worn[near].mean() > 2 * worn[far].mean()  # turned to the right, the head hides its left temple


def test_beards_move_with_the_jaw_and_hair_does_not(studio, model):
    head = studio.head(wearing(model, beard="full", hair_style="short"))
    drawn = len(head.points) + np.unique(head.worn.triangles)
    shut, wide = (studio.view(head, shot(model, jawOpen=opened)).points[drawn] for opened in (0.0, 1.0))
    moved = shut[:, 1] - wide[:, 1]
    lowest = shut[:, 1] < np.quantile(shut[:, 1], 0.05)
    assert np.median(moved[lowest]) > 0.1 and np.abs(moved[shut[:, 1] > 0.5]).max() < 1e-4


def test_a_person_keeps_them_and_people_differ(studio, model):
    one, again, other = (studio.head(wearing(model, hair_style="curly", beard="full", glasses="round", pattern=pattern))
                         for pattern in (1, 1, 2))
    for name in ("points", "triangles", "texels"):
        np.testing.assert_array_equal(getattr(one.worn, name), getattr(again.worn, name))
    np.testing.assert_array_equal(one.albedo, again.albedo)
    assert np.abs(one.worn.points - other.worn.points).max() > 0.01 and (one.albedo != other.albedo).any()


def test_of_many_people_a_third_wear_glasses_and_both_sexes_have_all_lengths(model):
    looks = [sampling.identity(model, 1, number) for number in range(600)]
    assert 0.27 < np.mean([who.look.glasses != "none" for who in looks]) < 0.4
    assert all(who.look.beard == "none" for who in looks if who.male <= 0.5)
    assert {who.look.hair_style for who in looks} == {*STYLES, "bald", "cropped"}
    tones = np.array([who.look.tone for who in looks])
    assert (tones < 0.2).mean() > 0.1 and (tones > 0.6).mean() > 0.2
    young, old = ([who.look for who in looks if low <= who.age < high] for low, high in ((18, 35), (60, 81)))
    for name in ("lines", "grey"):
        assert np.mean([getattr(look, name) for look in old]) > 2 * np.mean([getattr(look, name) for look in young])


def test_unknown_names_are_told(studio, model):
    with pytest.raises(ValueError, match="mohawk.*afro"):
        studio.head(wearing(model, hair_style="mohawk"))
    with pytest.raises(ValueError, match="monocle.*aviator"):
        glasses(model.mean, model, wearing(model, glasses="monocle").look)

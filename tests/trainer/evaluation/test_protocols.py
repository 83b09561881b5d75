"""Sections of the published protocols: sets made of the AT&T faces, a small network, and loops that count again."""

import csv
import io
import pickle
from dataclasses import replace

import keras
import numpy as np
import pytest
from PIL import Image

from data_loader import ijba
from data_loader.assets import fetch
from data_loader.folders import decode
from trainer.evaluation import protocols
from trainer.evaluation.report import write_report
from trainer.face_networks.network import FaceNetwork, open_face_network
from utils import command_line
from utils.errors import UserError

SIZE = 12
PEOPLE, IMAGES = 8, 3


@pytest.fixture(scope="module")
def att():
    return fetch("att_faces", "~/.cache/facegan")


@pytest.fixture(scope="module")
def network():
    """A face network that shows 12 x 12 pixels as a unit vector."""
    pixels = keras.Sequential([keras.Input((SIZE, SIZE, 3)), keras.layers.Flatten()])
    return FaceNetwork("pixels", pixels, SIZE, "none", True, lambda images: images)


def options_of(*words):
    return command_line.parse(["evaluate", *map(str, words)], {"evaluate": ""})[1]


def feature(path):
    """What `network` makes of an image, without it."""
    pixels = decode(path, SIZE).astype(np.float64).ravel() / 127.5 - 1
    return pixels / np.linalg.norm(pixels)


def face(att, person, image):
    return att / f"s{person + 1}" / f"{image + 1}.pgm"


def make_lfw(folder, att):
    """Two folds of 6 + 6 pairs, faces as PNG. Returns [((person, image), (person, image)), ...] in the file's order."""
    for person in range(PEOPLE):
        (folder / "faces" / f"P_{person}").mkdir(parents=True)
        for image in range(IMAGES):
            path = folder / "faces" / f"P_{person}" / f"P_{person}_{image + 1:04d}.png"
            Image.open(face(att, person, image)).save(path)
    rng, pairs, lines = np.random.default_rng(4), [], ["2\t6"]
    for _ in range(2):
        for same in [True] * 6 + [False] * 6:
            first, second = (rng.integers(PEOPLE),) * 2 if same else rng.choice(PEOPLE, 2, replace=False)
            a, b = rng.choice(IMAGES, 2, replace=False)
            pairs.append(((first, a), (second, b)))
            words = [f"P_{first}", a + 1, b + 1] if same else [f"P_{first}", a + 1, f"P_{second}", b + 1]
            lines.append("\t".join(map(str, words)))
    (folder / "pairs.txt").write_text("\n".join(lines))
    return pairs


def lfw_words(folder):
    return ["--lfw_dir", folder / "faces", "--lfw_pairs", folder / "pairs.txt", "--lfw_file_ext", "png",
            "--lfw_nrof_folds", 2, "--align", "none"]


def expected_pairs(att, pairs):
    """(distances, same) of pairs, by another way than the code's."""
    distances = [2 - 2 * feature(face(att, *a)) @ feature(face(att, *b)) for a, b in pairs]
    return np.array(distances), np.array([a[0] == b[0] for a, b in pairs])


def check_pairs_section(section, distances, same):
    """The numbers of a section of 24 pairs in two folds against loops."""
    genuine, impostors = sorted(distances[same]), sorted(distances[~same])
    wins = sum((g < i) + 0.5 * (g == i) for g in genuine for i in impostors)
    assert section.metrics["auc"] == pytest.approx(wins / len(genuine) / len(impostors))
    assert section.metrics["tar_at_far_0.1"] == np.mean([g < impostors[1] for g in genuine])  # one of 12
    assert section.metrics["tar_at_far_0.01"] is None and section.metrics["val_at_far_0.001"] is None
    right = []
    for fold in (slice(0, 12), slice(12, 24)):
        other = slice(12, 24) if fold.start == 0 else slice(0, 12)
        scores = [np.sum((distances[other] < k * 0.01) == same[other]) for k in range(400)]
        right.append(np.mean((distances[fold] < np.argmax(scores) * 0.01) == same[fold]))
    assert section.metrics["accuracy"] == pytest.approx(np.mean(right))
    assert section.metrics["accuracy_sd"] == pytest.approx(np.std(right))
    assert 0.5 < section.metrics["auc"] < 1 and 0.5 < section.metrics["accuracy"] < 1


def test_lfw_agrees_with_loops_on_the_att_faces(att, network, tmp_path):
    pairs = make_lfw(tmp_path, att)
    section = protocols.lfw_section(network, options_of(*lfw_words(tmp_path)))
    check_pairs_section(section, *expected_pairs(att, pairs))
    assert section.metrics["pairs"] == 24 and section.metrics["images"] == len({one for pair in pairs for one in pair})
    assert section.tables["folds"][0] == ["fold", "accuracy", "threshold"] and len(section.tables["folds"][1]) == 2
    assert all(figure.png.startswith(b"\x89PNG") for figure in section.figures) and len(section.figures) == 3
    distances, same = expected_pairs(att, pairs)
    means = [f"{name}: mean {distances[same == kind].mean():.4g}" for name, kind in (("genuine", 1), ("impostor", 0))]
    assert section.figures[2].alt == f"Histograms. {'; '.join(means)}."


def test_lfw_images_that_are_cut_already_are_not_cut_again(att, network, tmp_path):
    make_lfw(tmp_path, att)
    plain = protocols.lfw_section(network, options_of(*lfw_words(tmp_path))).metrics
    (tmp_path / "faces" / "align.json").write_text('{"crop": "arcface"}')
    words = [word for word in lfw_words(tmp_path) if word not in ("--align", "none")]
    assert protocols.lfw_section(replace(network, alignment="arcface"), options_of(*words)).metrics == plain


def test_a_bin_set_gives_the_numbers_of_its_images(att, network, tmp_path):
    pairs = make_lfw(tmp_path, att)
    data = [face(att, *one).read_bytes() for pair in pairs for one in pair]
    (tmp_path / "agedb 30.bin").write_bytes(pickle.dumps((data, [bool(a[0] == b[0]) for a, b in pairs])))
    options = options_of("--bin_sets", f"{tmp_path / 'agedb 30.bin'},", *lfw_words(tmp_path))
    (path,) = protocols.bin_paths(options)
    section = protocols.bin_section(network, path, options)
    assert section.key == "bin_agedb_30" and section.title == "agedb 30"
    check_pairs_section(section, *expected_pairs(att, pairs))
    lfw = protocols.lfw_section(network, options).metrics
    assert {key: value for key, value in section.metrics.items() if key != "images"} == pytest.approx(
        {key: value for key, value in lfw.items() if key != "images"}, abs=1e-6)
    arcfaces = replace(network, alignment="arcface")  # whose faces are cut, but not those of a set that is cut already
    assert protocols.bin_section(arcfaces, path, options.changed(align="auto")).metrics == section.metrics


def test_sections_go_into_a_report_and_the_input_stays_as_it_was(att, network, tmp_path):
    make_lfw(tmp_path / "in", att)
    make_ijba(tmp_path / "in", att)
    before = sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "in").rglob("*"))
    options = options_of(*lfw_words(tmp_path / "in"), "--ijba_dir", tmp_path / "in")
    sections = [protocols.lfw_section(network, options), protocols.ijba_section(network, options)]
    page = write_report(tmp_path / "out", sections, {}).read_text()
    assert "TAR at FAR 0.001" in page and "Rank 5" in page
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"lfw_folds.csv", "lfw_roc.csv", "ijba_verification.csv", "ijba_search.csv", "ijba_cmc.csv"} <= files
    assert before == sorted((path, path.stat().st_mtime_ns) for path in (tmp_path / "in").rglob("*"))


def test_unreadable_images_and_too_few_pairs_are_one_line(att, network, tmp_path):
    make_lfw(tmp_path, att)
    options = options_of(*lfw_words(tmp_path))
    with pytest.raises(UserError, match="^--lfw_nrof_folds 13: there are only 12 genuine pairs"):
        protocols.lfw_section(network, options.changed(lfw_nrof_folds=13))
    options = options.changed(lfw_nrof_folds=2)
    for path in (tmp_path / "faces").rglob("*_0001.png"):
        path.write_bytes(b"no image")
    with pytest.raises(UserError, match="^--lfw_dir: .*_0001.png: not a JPEG"):
        protocols.lfw_section(network, options)
    images = [face(att, 0, 0).read_bytes()] * 7 + [b"no image"]
    (tmp_path / "x.bin").write_bytes(pickle.dumps((images, [True, False] * 2)))
    with pytest.raises(UserError, match="^--bin_sets: .*x.bin: image 7: not a JPEG"):
        protocols.bin_section(network, tmp_path / "x.bin", options)


def test_bin_sets_are_named_once_and_exist(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("lfw.bin", "a/lfw.bin", "cfp_fp.bin"):
        (tmp_path / name).write_bytes(b"")
    assert protocols.bin_paths(options_of()) == []
    named = f"{tmp_path / 'lfw.bin'}, {tmp_path / 'cfp_fp.bin'}"
    assert protocols.bin_paths(options_of("--bin_sets", named)) == [tmp_path / "lfw.bin", tmp_path / "cfp_fp.bin"]
    with pytest.raises(UserError, match="^--bin_sets: two files have the name lfw"):
        protocols.bin_paths(options_of("--bin_sets", f"{tmp_path / 'lfw.bin'},{tmp_path / 'a' / 'lfw.bin'}"))
    with pytest.raises(UserError, match="^--bin_sets: no such file: .*none.bin"):
        protocols.bin_paths(options_of("--bin_sets", tmp_path / "none.bin"))


def make_ijba(folder, att):
    """Two splits of templates of the AT&T faces; a template is a video of two frames and a photograph, or an image."""
    for path in att.glob("*/*.pgm"):
        place = folder / "images" / "img" / f"{path.parent.name}_{path.stem}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            Image.open(path).save(place)
    for split in (1, 2):
        people = range(8 * split - 8, 8 * split)
        tables = {ijba.METADATA: [], ijba.GALLERY: [], ijba.PROBES: []}
        for person in people:
            three, one, other = 1000 + 10 * person, 1001 + 10 * person, 1002 + 10 * person
            video = [(three, person, image, 50 * person) for image in (0, 1)]
            photographs = [(three, person, 2, 50 * person + 1), (one, person, 5, 50 * person + 2),
                           (other, person, 8, 50 * person + 3)]
            tables[ijba.METADATA] += video + photographs
            if person % 4:  # every fourth one is a stranger
                tables[ijba.GALLERY] += video + photographs[:1]
            tables[ijba.PROBES] += photographs[1:]
        for kind, rows in tables.items():
            write_table(folder / f"split{split}" / f"{kind}_{split}.csv", rows)
        pairs = [(1000 + 10 * a, 1001 + 10 * b) for a in people for b in people]
        text = "".join(f"{a},{b}\n" for a, b in pairs)
        (folder / f"split{split}" / f"{ijba.COMPARISONS}_{split}.csv").write_text(text)


def write_table(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(ijba.COLUMNS)
        for template, person, image, medium in rows:
            box = (20, 30, 50, 60)  # 60 / (1 - 44/182) = 79 pixels about (45, 60): from 6, 20 (PIL's left, top)
            table.writerow([template, 7 * person, f"img/s{person + 1}_{image + 1}.png", medium, *box])


def crop_feature(att, person, image):
    file = io.BytesIO()
    Image.open(face(att, person, image)).crop((6, 20, 6 + 79, 20 + 79)).save(file, "PNG")
    return feature(file)


def unit(vector):
    return vector / np.linalg.norm(vector)


def test_ijba_agrees_with_loops_on_the_att_faces(att, network, tmp_path):
    make_ijba(tmp_path, att)
    section = protocols.ijba_section(network, options_of("--ijba_dir", tmp_path, "--align", "none"))
    tars, aucs, firsts = [], [], []
    for split in (1, 2):
        people = range(8 * split - 8, 8 * split)
        three = {p: unit((crop_feature(att, p, 0) + crop_feature(att, p, 1)) / 4 + crop_feature(att, p, 2) / 2)
                 for p in people}
        one = {p: crop_feature(att, p, 5) for p in people}
        genuine = [2 - 2 * three[p] @ one[p] for p in people]
        impostors = sorted(2 - 2 * three[a] @ one[b] for a in people for b in people if a != b)
        tars.append(np.mean([distance < impostors[5] for distance in genuine]))  # 5 of 56 at FAR 0.1
        aucs.append(np.mean([g < i for g in genuine for i in impostors]))
        enrolled = [p for p in people if p % 4]
        probes = [(p, probe) for p in enrolled for probe in (one[p], crop_feature(att, p, 8))]
        firsts.append(np.mean([max(enrolled, key=lambda p: three[p] @ probe) == person for person, probe in probes]))
    metrics = section.metrics
    assert metrics["images"] == 16 * 5 and metrics["genuine_pairs"] == 16 and metrics["impostor_pairs"] == 112
    for name, values in (("tar_at_far_0.1", tars), ("auc", aucs), ("rank_1", firsts)):
        assert metrics[name] == pytest.approx(np.mean(values))
        assert metrics[f"{name}_sd"] == pytest.approx(np.std(values))
    assert metrics["tar_at_far_0.01"] is None  # 56 impostor pairs
    assert metrics["fnir_at_fpir_0.1"] is None  # 4 probes of strangers in a split
    assert metrics["enrolled_subjects"] == 12 and metrics["enrolled_probes"] == 24 and metrics["unknown_probes"] == 8
    header, rows = section.tables["cmc"]
    assert header[5] == "rank_5" and [row[1] for row in rows] == pytest.approx(firsts) and rows[0][6] == 1
    assert 0.5 < metrics["auc"] < 1 and 0.3 < metrics["rank_1"] < 1


def test_ijba_without_search_or_without_verification(att, network, tmp_path):
    make_ijba(tmp_path, att)
    for path in tmp_path.rglob("search_*"):
        path.unlink()
    section = protocols.ijba_section(network, options_of("--ijba_dir", tmp_path, "--align", "none"))
    assert "rank_1" not in section.metrics and list(section.tables) == ["verification"]
    make_ijba(tmp_path, att)
    for path in tmp_path.rglob("verify_*"):
        path.unlink()
    section = protocols.ijba_section(network, options_of("--ijba_dir", tmp_path, "--align", "none"))
    assert "auc" not in section.metrics and list(section.tables) == ["search", "cmc"]


def test_an_unreadable_face_of_ijba_is_one_line(att, network, tmp_path):
    make_ijba(tmp_path, att)
    (tmp_path / "images" / "img" / "s3_1.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="^--ijba_dir: .*s3_1.png: not a JPEG"):
        protocols.ijba_section(network, options_of("--ijba_dir", tmp_path, "--align", "none"))


def test_dlib_tells_the_att_people_apart(att, tmp_path):
    make_lfw(tmp_path, att)
    options = options_of(*lfw_words(tmp_path)[:-2])
    section = protocols.lfw_section(open_face_network(options), options)
    assert section.metrics["auc"] > 0.99 and section.metrics["accuracy"] > 0.9

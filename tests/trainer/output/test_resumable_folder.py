"""A folder of generated images and the processes that want to write into it."""

import json
import os
import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_loader.generated_folder import ROWS, is_generated
from trainer.output.resumable_folder import OutputFolder, images_of, rows_name
from utils.errors import UserError
from utils.shards import Shard

FLAG = "--save_syn_dataset"


def run(**settings):
    return {"job": "generate", "settings": {"random_seed": 1} | settings, "checkpoint": "x", "finished": False}


def output(folder, **settings):
    return OutputFolder(folder, run(**settings), FLAG, ("d_score",))


def write(folder, *names):
    for name in names:
        (folder.folder / name).write_bytes(name.encode())
    with folder.open_rows() as file:
        folder.append(file, [[name, "1", "0.5", "digest", ""] for name in names])


def test_a_second_process_is_refused_and_the_first_one_s_rows_stay(tmp_path):
    first, second = output(tmp_path / "out"), output(tmp_path / "out")
    with first:
        first.begin(1)
        write(first, "a.png", "b.png")
        with pytest.raises(UserError, match=f"{FLAG}: another process writes into .*out: wait for it, or name another"):
            second.__enter__()
        assert first.finish() == (2, 0)
    assert not second.finished
    with second:  # it learns that the folder was finished in the meantime
        assert second.tell_finished() and second.run["images"] == 2


def test_a_table_that_is_gone_at_the_end_is_an_error(tmp_path):
    folder = output(tmp_path / "out")
    with folder:
        folder.begin(1)
        write(folder, "a.png")
        (tmp_path / "out" / ROWS).unlink()
        with pytest.raises(FileNotFoundError):
            folder.finish()
    assert not json.loads((tmp_path / "out" / "run.json").read_text())["finished"]


def test_a_damaged_row_names_its_shard_and_many_shards_need_no_higher_limit_of_open_files(tmp_path):
    """A hundred shards of an image each where a process may open sixty more files than are open."""
    described = run(batch_size=1) | {"inputs": {"images": 100}}
    shards = [OutputFolder(tmp_path / "out", dict(described), FLAG, ("d_score",), shard=Shard(number, 100))
              for number in range(1, 101)]  # fmt: skip
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + 60, hard))
        for shard in shards[:-1]:
            with shard:
                shard.begin(1)
                write(shard, f"{shard.shard.number}.png")
                assert shard.finish() is None
        table = tmp_path / "out" / rows_name(Shard(7, 100))
        row = table.read_text()
        table.write_text("7.png,1\n")
        with shards[-1] as last:
            last.begin(1)
            write(last, "100.png")
            with pytest.raises(UserError, match="7-of-100.* row 1 is damaged: run shard 7/100 again"):
                last.finish()
            table.write_text(row)
            assert last.finish() == (100, 0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@given(total=st.integers(0, 50), size=st.integers(1, 9), of=st.integers(1, 9))
def test_the_images_of_a_shard_are_those_of_its_batches(total, size, of):
    for number in range(1, of + 1):
        firsts = range(0, total, size)[number - 1 :: of]
        assert images_of(Shard(number, of), total, size) == sum(min(size, total - first) for first in firsts)


@pytest.mark.parametrize("name", ["input_content", "mixed_precision"])
def test_other_content_or_precision_is_refused_where_the_folder_tells_it(tmp_path, name):
    with output(tmp_path / "new", **{name: "one"}) as folder:
        folder.begin(1)
    with pytest.raises(UserError, match=f"{name} one there, other here"):
        output(tmp_path / "new", **{name: "other"})
    with output(tmp_path / "old") as folder:  # as earlier versions wrote it
        folder.begin(1)
    output(tmp_path / "old", **{name: "other"})


def test_a_half_written_folder_is_neither_generated_nor_photographs(tmp_path):
    assert not is_generated(tmp_path, "--dataset")
    with output(tmp_path / "out") as folder:
        folder.begin(1)
        write(folder, "a.png")
        with pytest.raises(UserError, match="--dataset: .*out is not finished: run the job that makes it to its end"):
            is_generated(tmp_path / "out", "--dataset")
        folder.finish()
    assert is_generated(tmp_path / "out", "--dataset")

"""Files are written whole or not at all; devices, FIFOs and links stay what they are."""

import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.driver import atomic_file as drivers
from services.driver.atomic_file import check_writable
from tools import atomic_file as of_tools
from tools.results import BadResultsError
from tools.results import write_whole as keep

Write = Callable[[Path, str], None]
both = pytest.mark.parametrize("write", [drivers.write_whole, of_tools.write_whole], ids=["driver", "tools"])


@pytest.fixture
def full() -> Iterator[None]:
    """No file may grow beyond 100 bytes: write(2) fails as on a full disk, though with EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, handler)


@both
def test_a_file_is_replaced_and_not_written_over(write: Write, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    with path.open() as reader:
        write(path, "new")
        assert reader.read() == "old"
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


@both
@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to nothing yet"])
def test_a_link_stays_and_what_it_leads_to_is_written(write: Write, there: bool, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    link, target = tmp_path / "result.json", tmp_path / "kept" / "mine.json"
    link.symlink_to(target)
    if there:
        target.write_text("old")
    check_writable(link)
    write(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["mine.json"]


@both
def test_a_fifo_stays_and_its_reader_gets_all(write: Write, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    check_writable(fifo)
    writer = threading.Thread(target=write, args=(fifo, "x" * 200_000), daemon=True)
    writer.start()
    assert len(fifo.read_text()) == 200_000
    assert fifo.is_fifo()


@both
def test_a_device_stays_a_device(write: Write, tmp_path: Path) -> None:
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    check_writable(link)
    write(link, "gone")
    assert link.is_char_device()
    assert link.is_symlink()


@both
def test_an_open_descriptor_is_written_after_what_it_holds(write: Write, tmp_path: Path) -> None:
    with (tmp_path / "out.txt").open("w") as file:
        print("first", file=file, flush=True)
        write(Path(f"/dev/fd/{file.fileno()}"), "second\n")
    assert (tmp_path / "out.txt").read_text() == "first\nsecond\n"


@both
def test_a_full_device_is_an_error_of_the_system(write: Write) -> None:
    with pytest.raises(OSError, match="No space left on device"):
        write(Path("/dev/full"), "x")


@both
@pytest.mark.usefixtures("full")
def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(write: Write, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")
    with pytest.raises(OSError, match="File too large"):
        write(path, "x" * 100_000)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.usefixtures("full")
def test_a_result_that_the_disk_does_not_take_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadResultsError) as refused:
        keep(tmp_path / "trials" / "reactor-1.json", "x" * 100_000)
    assert str(refused.value) == f"{tmp_path}/trials/reactor-1.json: cannot be written: File too large"


@pytest.mark.parametrize("place", ["", "missing/result.json"], ids=["a folder", "in no folder"])
def test_what_cannot_be_written_is_found_out_before(place: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"Is a directory|No such file"):
        check_writable(tmp_path / place)
    assert not list(tmp_path.iterdir())

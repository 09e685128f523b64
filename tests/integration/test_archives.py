import gzip
import io
import os
import stat
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asl.errors import DatasetInvalid
from asl.infra.archive_entries import ArchiveLimits
from asl.infra.archive_names import Layout
from asl.infra.archives import Member, Skipped, read_archive

MIB = 2**20
PICTURE = os.urandom(3000)
FILES = {"data/a/1.jpg": PICTURE, "data/B/2.png": b"", "data/notes.txt": b"mine", "data/.DS_Store": b"x"}
SMALL = ArchiveLimits(max_entries=20, max_image_bytes=64 * 1024, max_total_bytes=MIB)


class Pipe(io.BytesIO):
    """What cannot be sought in: zipfile then tells sizes in the index alone."""

    def tell(self):
        raise OSError

    def seek(self, *_):
        raise OSError


def zip_bytes(files, method=zipfile.ZIP_DEFLATED, forge=None, stream=None):
    """Pack a zip; `forge` changes the list of entries before it is written as the index."""
    file = stream or io.BytesIO()
    with zipfile.ZipFile(file, "w", method, compresslevel=1) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            archive.writestr(info, content)
        if forge:
            forge(archive.filelist)
    return file.getvalue()


def tar_bytes(files, tar_format=tarfile.PAX_FORMAT, change=lambda _: None):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tar_format) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            change(info)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def tar_gz_bytes(files):
    return gzip.compress(tar_bytes(files), 1)


PACKERS = [zip_bytes, tar_bytes, tar_gz_bytes]


@pytest.fixture
def archive(tmp_path):
    def write(content):
        path = tmp_path / "upload"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("pack", PACKERS)
def test_photographs_come_with_labels_and_other_files_with_reasons(archive, pack):
    first, second, third = read_archive(archive(pack(FILES)))
    assert first == Member("a/1.jpg", "", "A", 3000, PICTURE)
    assert second == Member("B/2.png", "", "B", 0, b"")
    assert isinstance(third, Skipped)
    assert (third.name, third.reason[-6:]) == ("data/notes.txt", "'.txt'")


@pytest.mark.parametrize("tar_format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("name", ["anna/A/" + "x" * 200 + ".jpg", "änna/A/é.jpg"])
def test_long_and_foreign_names_come_whole(archive, name, tar_format):
    for content in (tar_bytes({name: PICTURE}, tar_format), zip_bytes({name: PICTURE})):
        (member,) = read_archive(archive(content), layout=Layout.SIGNERS)
        assert (member.name, member.signer, member.content) == (name, name[:4], PICTURE)


def test_utf_8_in_a_zip_that_does_not_say_so_is_understood(archive):
    # As the macOS Finder packs; each é of the placeholder has two bytes, and so has the name in its place.
    content = zip_bytes({"A/xx.jpg": PICTURE}).replace(b"A/xx.jpg", "A/é.jpg".encode())
    assert [member.name for member in read_archive(archive(content))] == ["A/é.jpg"]


@pytest.mark.parametrize("pack", PACKERS)
@pytest.mark.parametrize(
    "name",
    ["../A/1.jpg", "A/../../1.jpg", "/A/1.jpg", "C:/A/1.jpg", "A\\1.jpg", "A/\x1b[2J.jpg", "A/" + "x" * 256 + ".jpg"],
)
def test_names_that_lead_astray_are_refused_before_any_file(archive, pack, name):
    with pytest.raises(DatasetInvalid, match="found the entry"):
        read_archive(archive(pack({"A/0.jpg": PICTURE, name: PICTURE})))


@pytest.mark.parametrize("pack", PACKERS)
@pytest.mark.parametrize("files", [{"A/1.jpg": b"", "a/1.JPG": b""}, {"notes.txt": b"", "NOTES.txt": b""}])
def test_the_same_name_in_two_cases_is_refused(archive, pack, files):
    with pytest.raises(DatasetInvalid, match="twice"):
        read_archive(archive(pack({"A/0.jpg": PICTURE, **files})))


def test_nul_in_a_name_is_refused(archive):
    renamed = zip_bytes({"A/1.jpg#../x": PICTURE}).replace(b"#", b"\0")
    told = tar_bytes({"A/1.jpg": PICTURE}, change=lambda info: info.pax_headers.update(path="A/1.jpg\0../x"))
    for content in (renamed, told):
        with pytest.raises(DatasetInvalid, match="control characters"):
            read_archive(archive(content))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, b"S", b"D", b"z"]
)
def test_links_devices_and_unknown_kinds_in_a_tar_are_refused(archive, kind):
    def change(info):
        info.type, info.linkname = kind, "A/0.jpg"

    content = tar_bytes({"A/1.jpg": b""}, tarfile.GNU_FORMAT, change)
    with pytest.raises(DatasetInvalid, match=r"'A/1.jpg', a link, device"):
        read_archive(archive(content))


def test_a_pax_file_with_holes_is_refused(archive):
    content = tar_bytes({"A/1.jpg": b""}, change=lambda info: info.pax_headers.update({"GNU.sparse.realsize": "9"}))
    with pytest.raises(DatasetInvalid, match="holes"):
        read_archive(archive(content))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_in_a_zip_are_refused(archive, kind):
    def forge(infos):
        infos[0].external_attr = (kind | 0o777) << 16

    with pytest.raises(DatasetInvalid, match=r"'A/1.jpg', a link or device"):
        read_archive(archive(zip_bytes({"A/1.jpg": b"A/0.jpg"}, forge=forge)))


def test_encrypted_files_are_refused(archive):
    def forge(infos):
        infos[0].flag_bits |= 1

    with pytest.raises(DatasetInvalid, match="password"):
        read_archive(archive(zip_bytes({"A/1.jpg": PICTURE}, forge=forge)))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_other_than_stored_and_deflate_are_refused(archive, method):
    with pytest.raises(DatasetInvalid, match=f"method {method}"):
        read_archive(archive(zip_bytes({"A/1.jpg": PICTURE}, method)))


@pytest.mark.parametrize("pack", PACKERS)
def test_one_entry_too_many_is_refused(archive, pack):
    content = pack({f"A/{number}.jpg": b"" for number in range(21)})
    with pytest.raises(DatasetInvalid, match="at most 20 files"):
        read_archive(archive(content), SMALL)
    assert len(list(read_archive(archive(content), ArchiveLimits(max_entries=21)))) == 21


def test_200_000_entries_in_a_zip_are_refused_before_an_object_is_made_of_each(archive):
    content = zip_bytes({"A/1.jpg": b""})
    start = content.index(b"PK\x01\x02")
    index = content[start:-22] * 200_000
    # The end record's count, 16 bits, says one.
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(index), start, 0)
    path = archive(content[:start] + index + end)
    with measured() as memory, pytest.raises(DatasetInvalid, match="at most 100,000 files"):
        read_archive(path)
    assert memory.peak_bytes < 30 * MIB


def test_200_000_entries_in_a_tar_are_counted_no_further_than_the_limit(archive):
    header = tar_bytes({"A/1.jpg": b""}, change=lambda info: setattr(info, "type", tarfile.DIRTYPE))[:512]
    path = archive(gzip.compress(header * 200_000, 1))
    with pytest.raises(DatasetInvalid, match="at most 100,000 files"):
        read_archive(path, ArchiveLimits(max_ratio=100_000))


def test_an_index_too_large_for_memory_is_refused(archive):
    def forge(infos):
        infos[0].comment = b"PK\x01\x02" * 16_000
        infos.extend(infos * 600)

    with pytest.raises(DatasetInvalid, match="list of files"):
        read_archive(archive(zip_bytes({"A/1.jpg": b""}, forge=forge)))


@pytest.mark.parametrize("pack", PACKERS)
def test_a_photograph_beyond_the_limit_is_refused(archive, pack):
    large = os.urandom(SMALL.max_image_bytes + 1)
    with pytest.raises(DatasetInvalid, match="at most 65,536 bytes"):
        read_archive(archive(pack({"A/1.jpg": large})), SMALL)
    (member,) = read_archive(archive(pack({"A/1.jpg": large[1:]})), SMALL)
    assert member.content == large[1:]


@pytest.mark.parametrize("pack", PACKERS)
def test_more_content_than_the_limit_is_refused(archive, pack):
    files = {f"A/{number}.txt": os.urandom(100_000) for number in range(11)}
    with pytest.raises(DatasetInvalid, match="at most 1,048,576 bytes"):
        read_archive(archive(pack(files)), SMALL)


def test_names_cut_off_in_the_message_are_escaped(archive):
    with pytest.raises(DatasetInvalid) as caught:
        read_archive(archive(zip_bytes({"A/\x1b" + "x" * 500 + ".jpg": b""})))
    assert "'A/\\x1bxxx" in caught.value.message
    assert len(caught.value.message) < 160


@pytest.mark.parametrize("pack", PACKERS)
def test_archives_in_an_archive_are_not_opened(archive, pack):
    inner = zip_bytes({"../A/1.jpg": PICTURE})
    files = list(read_archive(archive(pack({"A/1.jpg": PICTURE, "A/inner.zip": inner}))))
    assert [type(file) for file in files] == [Member, Skipped]


@pytest.mark.parametrize("size_bytes", [100, 2999, 3001, 60_000])
def test_a_size_that_lies_is_found_and_no_more_than_it_is_read(archive, size_bytes):
    def forge(infos):
        infos[0].file_size = size_bytes

    with pytest.raises(DatasetInvalid, match="contradicts the index"):
        read_archive(archive(zip_bytes({"A/1.jpg": PICTURE}, forge=forge)))
    # Without the sizes in the local header only the content tells.
    files = read_archive(archive(zip_bytes({"A/1.jpg": PICTURE}, forge=forge, stream=Pipe())))
    with pytest.raises(DatasetInvalid):
        next(files)


@pytest.mark.parametrize(("name", "offset"), [("A/2.jpg", 0), ("A/1.jpg", 10), ("A/1.jpg", 10**9), ("A/1.jpg", 2**63)])
def test_an_index_that_points_elsewhere_is_refused(archive, name, offset):
    def forge(infos):
        infos[0].filename, infos[0].header_offset = name, offset

    with pytest.raises(DatasetInvalid, match="damaged"):
        read_archive(archive(zip_bytes({"A/1.jpg": PICTURE}, forge=forge)))


def test_overlapping_files_are_refused(archive):
    # As in David Fifield's "A better zip bomb": one file's content holds the next one's header and content.
    inner = zip_bytes({"A/2.jpg": PICTURE}, zipfile.ZIP_STORED)
    inner = inner[: inner.index(b"PK\x01\x02")]

    def forge(infos):
        hidden = zipfile.ZipInfo("A/2.jpg")
        hidden.header_offset = 30 + len("A/1.jpg")
        hidden.CRC, hidden.file_size, hidden.compress_size = struct.unpack("<3I", inner[14:26])
        infos.append(hidden)

    with pytest.raises(DatasetInvalid, match=r"'A/1.jpg' overlapping 'A/2.jpg'"):
        read_archive(archive(zip_bytes({"A/1.jpg": inner}, zipfile.ZIP_STORED, forge)))


@pytest.mark.parametrize("pack", PACKERS)
def test_archives_cut_off_anywhere_are_refused(archive, pack):
    content = pack({"A/1.jpg": PICTURE, "B/2.jpg": PICTURE[:700]})
    # A tar may end at the first of its blocks of zeros.
    whole = len(content) if pack is not tar_bytes else len(content.rstrip(b"\0")) // 512 * 512 + 1024
    for size in (*range(0, whole, 97), whole - 1):
        with pytest.raises(DatasetInvalid):
            list(read_archive(archive(content[:size])))


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"\x1f\x8b", PICTURE, b"\0" * 511, gzip.compress(PICTURE), b"Rar!" * 200]
)
def test_what_is_no_archive_is_refused(archive, content):
    with pytest.raises(DatasetInvalid) as caught:
        read_archive(archive(content))
    assert "ack the folder" in caught.value.hint


@pytest.mark.parametrize("pack", PACKERS)
def test_an_archive_of_nothing_is_refused(archive, pack):
    with pytest.raises(DatasetInvalid, match="found none"):
        read_archive(archive(pack({})))


def test_what_follows_the_end_is_refused(archive):
    content = tar_bytes({"A/1.jpg": PICTURE})
    packed = gzip.compress(content)
    for joined in (content * 2, packed * 2, packed + b"more", gzip.compress(content * 2)):
        with pytest.raises(DatasetInvalid, match="more follows"):
            read_archive(archive(joined))


@pytest.mark.parametrize("tar_format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_header_that_continues_for_long_is_refused(archive, tar_format):
    with pytest.raises(DatasetInvalid, match="a header continues for"):
        read_archive(archive(tar_bytes({"A/" + "x" * 70_000: b""}, tar_format)))


def test_headers_that_continue_for_long_in_all_are_refused(archive):
    # Little to upload, and much to read.
    records = b"65000 comment=".ljust(64_999, b"x") + b"\n"
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, len(records)
    folder = tarfile.TarInfo("A")
    folder.type = tarfile.DIRTYPE
    entry = header.tobuf(tarfile.USTAR_FORMAT) + records.ljust(127 * 512, b"\0") + folder.tobuf(tarfile.USTAR_FORMAT)
    with pytest.raises(DatasetInvalid, match="or all for 67,1"):
        read_archive(archive(gzip.compress(entry * 1100, 1)), ArchiveLimits(max_ratio=10_000))


def test_a_header_that_continues_without_end_is_refused(archive):
    long_name = tar_bytes({"A/" + "x" * 120: b""}, tarfile.GNU_FORMAT)[:1024]
    with pytest.raises(DatasetInvalid, match="more than 8 records"):
        read_archive(archive(long_name * 20))


@pytest.mark.parametrize(
    "record", [b"x", b"9", b"0 path=", b"-5 path=A\n", b"12 path=\xff\xff\xff\xff\n", b"99 path=A\n", b"9 9 9 9 =\n"]
)
def test_malformed_pax_records_are_refused(archive, record):
    content = tar_bytes({"A/1.jpg": b""}, change=lambda info: info.pax_headers.update(comment="x" * 20))
    start = content.index(b"32 comment=")
    with pytest.raises(DatasetInvalid):
        read_archive(archive(content[:start] + record.ljust(32, b"\0") + content[start + 32 :]))


class measured:  # noqa: N801 - reads as a verb's participle, like pytest's own
    """How much Python memory is used at the peak, beyond that at the start."""

    def __enter__(self):
        tracemalloc.start()
        return self

    def __exit__(self, *_):
        self.peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()


@pytest.fixture(scope="module")
def zeros():
    """300 MB that pack to 1.3 MB."""
    return bytes(300 * MIB)


@pytest.mark.parametrize("name", ["A/1.jpg", "notes.txt"])
@pytest.mark.parametrize("pack", PACKERS[::2])
def test_bombs_are_refused_in_little_memory(archive, pack, zeros, name):
    path = archive(pack({"A/0.jpg": PICTURE, name: zeros}))
    with measured() as memory, pytest.raises(DatasetInvalid, match=r"times its size|at most 20,971,520 bytes"):
        read_archive(path)
    assert memory.peak_bytes < 2 * MIB


def test_a_bomb_that_lies_about_its_size_is_not_unpacked(archive, zeros):
    def forge(infos):
        infos[0].file_size = MIB

    path = archive(zip_bytes({"A/0.jpg": zeros}, forge=forge, stream=Pipe()))
    with measured() as memory, pytest.raises(DatasetInvalid):
        list(read_archive(path))
    assert memory.peak_bytes < 5 * MIB


def test_of_a_bomb_with_a_fitting_checksum_only_the_told_size_is_unpacked(archive, zeros):
    def forge(infos):
        infos[0].file_size, infos[0].CRC = MIB, zlib.crc32(zeros[:MIB])

    path = archive(zip_bytes({"A/0.jpg": zeros}, forge=forge, stream=Pipe()))
    with measured() as memory:
        (member,) = read_archive(path)
    assert len(member.content) == MIB
    assert memory.peak_bytes < 5 * MIB


def test_what_is_skipped_is_not_kept_in_memory(archive, zeros):
    path = archive(tar_gz_bytes({"A/0.jpg": PICTURE, "notes.txt": zeros}))
    with measured() as memory:
        assert len(list(read_archive(path, ArchiveLimits(max_ratio=10_000)))) == 2
    assert memory.peak_bytes < 2 * MIB


def test_files_of_one_colour_below_a_mebibyte_are_believed(archive):
    files = {"A/1.bmp": bytes(900_000), "B/2.bmp": bytes(100_000)}
    for pack in (zip_bytes, tar_gz_bytes):
        assert [file.size_bytes for file in read_archive(archive(pack(files)))] == [900_000, 100_000]


VALID = (
    zip_bytes(FILES),
    zip_bytes(FILES, zipfile.ZIP_STORED),
    zip_bytes(FILES, stream=Pipe()),
    tar_bytes(FILES | {"data/é/" + "x" * 120 + ".jpg": PICTURE}),
    tar_bytes(FILES | {"data/C/" + "x" * 120 + ".jpg": PICTURE}, tarfile.GNU_FORMAT),
    tar_gz_bytes(FILES),
)
POSITIONS = st.floats(0, 1, exclude_max=True)
PIECES = st.one_of(
    st.binary(max_size=8),
    st.sampled_from([b"\0\0\0\0", b"\xff" * 4, b"\xff" * 8, b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"../../"]),
)


@pytest.fixture(scope="module")
def spool(tmp_path_factory):
    return tmp_path_factory.mktemp("mutated") / "upload"


@settings(max_examples=600, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    content=st.sampled_from(VALID),
    near_end=st.booleans(),
    changes=st.lists(st.tuples(POSITIONS, st.integers(0, 8), PIECES), min_size=1, max_size=4),
    mends_checksums=st.booleans(),
)
def test_any_damage_is_refused_or_read_within_the_limits(spool, content, near_end, changes, mends_checksums):
    for position, n_replaced, piece in changes:
        start = int(position * min(600, len(content)))
        start += (len(content) - 600 if near_end else 0) * (len(content) > 600)
        content = content[:start] + piece + content[start + n_replaced :]
    if mends_checksums:
        content = mend_checksums(content)
    assert read_bytes(spool, content) <= SMALL.max_total_bytes


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    content=st.sampled_from(VALID[3:5]),
    position=POSITIONS,
    offset=st.integers(0, 511),
    piece=PIECES,
    pack=st.sampled_from([bytes, gzip.compress]),
)
def test_any_tar_header_with_a_right_checksum_is_refused_or_read(spool, *, content, position, offset, piece, pack):
    start = int(position * len(content)) // 512 * 512 + offset
    content = mend_checksums(content[:start] + piece + content[start + len(piece) :])
    assert read_bytes(spool, pack(content)) <= SMALL.max_total_bytes


def read_bytes(path: Path, content: bytes) -> int:
    path.write_bytes(content)
    n_bytes = 0
    try:
        for file in read_archive(path, SMALL):
            if isinstance(file, Member):
                assert len(file.content) == file.size_bytes <= SMALL.max_image_bytes
                n_bytes += file.size_bytes
    except DatasetInvalid as error:
        assert error.message.isprintable()  # noqa: PT017 - most are refused, some are harmless
    return n_bytes


def mend_checksums(content: bytes) -> bytes:
    """Write the right checksum into all blocks that look like tar headers."""
    blocks = [content[start : start + 512] for start in range(0, len(content), 512)]
    for number, block in enumerate(blocks):
        if block[257:262] == b"ustar" and len(block) == 512:
            (checksum, _) = tarfile.calc_chksums(block)
            blocks[number] = block[:148] + b"%06o\0 " % checksum + block[156:]
    return b"".join(blocks)

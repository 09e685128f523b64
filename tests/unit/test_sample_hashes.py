import hashlib

import numpy as np

from asl.core.sample_hashes import row_hashes


def test_row_hashes_are_the_first_eight_bytes():
    text = hashlib.sha256(b"x").hexdigest()
    expected = int.from_bytes(hashlib.sha256(b"x").digest()[:8], "big", signed=True)
    hashes = row_hashes(np.array([text, "not a hash", ""]))
    assert hashes.dtype == np.int64
    assert hashes[0] == expected
    assert len(set(hashes.tolist())) == 3
    assert row_hashes(np.array([], np.str_)).shape == (0,)

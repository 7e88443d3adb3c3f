"""Where a profiled run spent its time: py-spy's collapsed stacks, summed up by function.

Invariants: pure; a function counts once in a stack, however often it calls itself.
"""

from __future__ import annotations

import re
from collections import Counter

_LINE = re.compile(r":\d+\)$")


def hottest(stacks: str, most: int = 40) -> list[tuple[int, int, str]]:
    """(samples in the function itself, samples in it and what it called, function), most of its own first.

    `stacks`: lines of `frame;frame;frame samples`, the caller first; a frame is `function (file:line)`.
    Samples of threads that run no Python have no frames and are left out.
    """
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for line in stacks.splitlines():
        path, _, samples = line.rpartition(" ")
        if not path:
            continue
        frames = [_LINE.sub(")", frame) for frame in path.split(";")]
        own[frames[-1]] += int(samples)
        for frame in set(frames):
            total[frame] += int(samples)
    ranked = sorted(total, key=lambda frame: (-own[frame], -total[frame], frame))
    return [(own[frame], total[frame], frame) for frame in ranked[:most]]

import math
from random import Random

import pytest

from hean.core.synthetic.moods import Mood, Path, PathState, Push


def _path(mood_seconds: float = 0.0, pull: float = 0.0) -> Path:
    return Path(1e-4, PathState(level=0.0, anchor=0.0, mood_seconds=mood_seconds, pull=pull))


def test_the_same_draws_give_the_same_path() -> None:
    """A path is a function of its state and its generator alone."""
    paths = [_path(), _path()]
    walks = [
        [path.step(random, 1.0) for _ in range(500)]
        for path, random in zip(paths, (Random(7), Random(7)), strict=True)
    ]
    assert walks[0] == walks[1]


def test_typical_volatility_is_the_stated_one() -> None:
    """Over many hours the one-minute volatility is near sigma times the root of 60 seconds."""
    path, random = _path(), Random(3)
    moves: list[float] = []
    for _ in range(6000):
        level = path.state.level
        for _ in range(4):
            path.step(random, 15.0)
        moves.append(path.state.level - level)
    variance = math.fsum(move * move for move in moves) / len(moves)
    assert 0.7 < math.sqrt(variance) / (1e-4 * math.sqrt(60.0)) < 2.0


def test_a_push_moves_by_its_size_and_no_further() -> None:
    """A drift that ends inside a step moves the price by what was left of it, never backwards."""
    path = _path(mood_seconds=1e9)
    path.sigma = 0.0
    path.state.pushes = [Push(1e-3, 2.0, 3.0), Push(1e-3, 1.0, 2.0)]
    random = Random(1)
    total = math.fsum(path.step(random, 5.0) for _ in range(3))
    assert total == pytest.approx(3e-3, abs=1e-12)
    assert path.state.pushes == []


def test_a_range_pulls_the_price_back_to_its_anchor() -> None:
    """In RANGE the distance to the anchor halves within the half-life of the pull."""
    path = _path(mood_seconds=1e9, pull=math.log(2.0) / 100.0)
    path.state.mood, path.state.level, path.sigma = Mood.RANGE, 0.01, 0.0
    random = Random(5)
    path.state.mood_seconds = 1e9
    moved = math.fsum(path._drift(1.0) for _ in range(1))  # pyright: ignore[reportPrivateUsage]
    path.step(random, 100.0)
    assert moved < 0.0
    assert 0.003 < path.state.level < 0.007


def test_a_push_may_wait_for_another_to_end() -> None:
    """What follows a move begins when that has ended, also where both fall into one step."""
    path = _path(mood_seconds=1e9)
    path.sigma = 0.0
    path.state.pushes = [Push(1e-3, 2.0, 3.0), Push(-1e-3, 2.0, 2.0, waits=2.0)]
    random = Random(1)
    assert path.step(random, 2.0) == pytest.approx(2e-3, abs=1e-12)
    assert path.step(random, 1.0) == pytest.approx(-1e-3, abs=1e-12)
    path.state.pushes.append(Push(1e-3, 1.0, 1.0, waits=1.5))
    assert path.step(random, 2.0) == pytest.approx(-1e-3 + 0.5e-3, abs=1e-12)


def test_a_sweep_runs_beyond_a_swing_that_stood_and_half_of_them_turn() -> None:
    """The poke ends 0.45 to 0.75 usual ranges beyond the swing; a return follows it inside."""
    blocks = [(-0.002, -0.001)] * 8 + [(-0.001, 0.001)] + [(-0.002, -0.0005)] * 8
    turned = 0
    for seed in range(200):
        state = PathState(level=-5e-4, anchor=0.0, high=-5e-4, low=-5e-4, blocks=list(blocks))
        Path(1e-4, state)._sweep(Random(seed))  # pyright: ignore[reportPrivateUsage]
        poke, *after = state.pushes
        assert poke.forces
        usual = math.fsum(high - low for low, high in blocks) / len(blocks)
        beyond = state.level + poke.drift * poke.seconds - 0.001
        assert 0.45 <= beyond / usual <= 0.75
        for back in after:
            turned += 1
            assert back.waits == poke.seconds
            assert beyond + back.drift * back.seconds < 0.0
    assert 70 <= turned <= 130


def test_nothing_is_swept_without_a_swing_in_reach() -> None:
    """A high that was passed since, or lies too far away, is none; nor is one that is too young."""
    far = [(-0.002, -0.001)] * 8 + [(-0.001, 0.02)] + [(-0.002, -0.001)] * 8
    young = [(-0.002, -0.001)] * 12 + [(-0.003, 0.001)]
    for blocks in (far, young, []):
        for seed in range(20):
            state = PathState(level=-0.0015, anchor=0.0, high=-0.0015, low=-0.0015, blocks=blocks)
            Path(1e-4, state)._sweep(Random(seed))  # pyright: ignore[reportPrivateUsage]
            assert state.pushes == []

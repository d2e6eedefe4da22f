"""Figures of texts as paths: what each trace holds, and that frames move nothing but the step."""

import json

import numpy as np
import pytest

from core.figures.base import plain
from core.figures.scene import Picture, Player, Scene, Strip, to_json
from core.figures.tokens import DARK, LIGHT
from core.figures.trajectories.next_tokens import divergence_figure, rank_figure
from core.figures.trajectories.trajectory import (
    BANDS,
    NAMED_RAYS,
    Rays,
    Track,
    control_color,
    shown,
    step_labels,
    trajectory_figure,
    word_labels,
)
from core.metrics.zipf import rank_law

WORDS = (" the", " ocean", " is", " deep", ".", "\n")


def places(count, dims=2, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dims)).astype(np.float32)


def track(dims=2, begun=3, words=WORDS, stem=0, seed=1):
    own = places(len(words), dims, seed)
    return Track(words, own, begun, [f"{it}: 10%" for it in words], stem)


def fans(own, shares=(0.5, 0.2, 0.05, 0.01)):
    words = [f" w{it}" for it in range(len(shares))]
    ends = places(len(shares), own.places.shape[1])
    return [Rays(start, words, ends, np.array(shares)) for start in own.places]


def roles(figure):
    return [trace.meta["role"] for trace in figure.data]


def of_role(figure, role):
    return [trace for trace in figure.data if trace.meta["role"] == role]


class TestPath:
    def test_prompt_and_written_words_have_their_colours(self):
        own = track()
        figure = trajectory_figure(places(300), [own], LIGHT, "r")
        prompt, written = of_role(figure, "words")
        assert (prompt.marker.color, written.marker.color) == (LIGHT.second, LIGHT.accent)
        assert prompt.meta["steps"] == [0, 1, 2]
        assert written.meta["steps"] == [3, 4, 5]
        np.testing.assert_allclose(prompt.x, own.places[:3, 0])
        first, second = of_role(figure, "path")
        assert first.x[-1] == second.x[0]  # one unbroken way

    @pytest.mark.parametrize("dims", [2, 3])
    def test_frames_move_the_marker_and_its_fan_alone(self, dims):
        own = track(dims)
        rays = fans(own)
        figure = trajectory_figure(places(300, dims), [own], LIGHT, "r", fans=rays, at=2)
        moving = set(figure.frames[0].traces)
        kinds = {figure.data[it].meta["role"] for it in moving}
        assert kinds == {"ray", "tip", "marker"}
        assert [it.name for it in figure.frames] == [str(it) for it in range(len(WORDS))]
        for step, frame in enumerate(figure.frames):
            at = dict(zip(frame.traces, frame.data, strict=True))
            [marker] = [it for it in moving if figure.data[it].meta["role"] == "marker"]
            assert at[marker].x[0] == pytest.approx(float(own.places[step, 0]), abs=1e-4)
            [tip] = [it for it in moving if figure.data[it].meta["role"] == "tip"]
            np.testing.assert_allclose(at[tip].x, rays[step].places[:, 0], atol=1e-4)
        assert of_role(figure, "marker")[0].x[0] == pytest.approx(float(own.places[2, 0]))

    def test_likely_rays_are_thick(self):
        own = track()
        figure = trajectory_figure(places(300), [own], LIGHT, "r", fans=fans(own), at=0)
        drawn = of_role(figure, "ray")
        assert [it.line.width for it in drawn] == [width for _, width, _ in BANDS]
        assert [len([x for x in it.x if x is not None]) for it in drawn] == [2, 2, 2, 2]
        assert drawn[0].x[1] == pytest.approx(float(fans(own)[0].places[0, 0]))

    def test_all_along_the_way_every_fan_stands(self):
        own = track()
        figure = trajectory_figure(places(300), [own], LIGHT, "r", fans=fans(own), along=True)
        ends = sum(len([x for x in it.x if x is not None]) // 2 for it in of_role(figure, "fans"))
        assert ends == 4 * len(WORDS)

    def test_other_samples_begin_where_the_stem_ends(self):
        trunk, other = track(), track(stem=4, seed=1)
        figure = trajectory_figure(places(300), [trunk, other], DARK, "r")
        [branch] = of_role(figure, "branch")
        np.testing.assert_allclose(branch.x, other.places[3:, 0])

    def test_the_control_is_grey_violet(self):
        for tokens in (LIGHT, DARK):
            figure = trajectory_figure(places(300), [track()], tokens, "r", control=places(6))
            [control] = of_role(figure, "control")
            assert control.line.color == control_color(tokens)
        assert control_color(LIGHT) != control_color(DARK)

    @pytest.mark.parametrize("dims", [2, 3])
    def test_while_it_grows_there_are_no_frames_and_the_window_stands_still(self, dims):
        corpus = places(300, dims)
        ranges = set()
        for count in (0, 1, 4):
            own = track(dims, words=WORDS[:count]) if count else None
            tracks = [own] if own is not None else []
            figure = trajectory_figure(corpus, tracks, LIGHT, "r", growing=True)
            assert not figure.frames
            if dims == 2:
                ranges.add(tuple(np.round(figure.layout.xaxis.range, 3)))
        assert len(ranges) <= 2  # only a word beyond the corpus widens it

    def test_a_word_is_no_markup(self):
        bad = track(words=(" <b>x</b>", "<img src=x onerror=alert(1)>"), begun=1)
        for dims in (2, 3):
            own = Track(bad.words, places(2, dims), 1, bad.words)
            figure = trajectory_figure(places(300, dims), [own], LIGHT, "r")
            for trace in of_role(figure, "words"):
                assert "<" not in "".join([*(trace.hovertext or ()), *(trace.text or ())])

    def test_an_empty_path(self):
        empty = Track((), np.empty((0, 2), np.float32), 0, ())
        figure = trajectory_figure(places(300), [empty], LIGHT, "r")
        assert not figure.frames
        assert word_labels([empty]) == []


class TestLabels:
    def test_the_ends_come_first_then_the_long_words(self):
        labels = word_labels([track()])
        assert [it.text for it in labels][:3] == ["⏎", "the", "ocean"]
        assert {it.kind for it in labels} == {"second", "chosen"}
        assert [it.text for it in word_labels([track(words=WORDS[:5])], growing=True)][:2] == [
            "“.”",
            "deep",
        ]

    def test_a_branch_is_named_by_the_word_with_which_it_parts(self):
        labels = word_labels([track(), track(stem=3)])
        assert [it.text for it in labels if it.kind == "quiet"] == ["deep"]

    def test_at_each_step_its_word_and_its_fan(self):
        own = track()
        found = step_labels(own, fans(own, (0.5, 0.2, 0.001)))
        assert [it.text for it in found[1]] == ["ocean", "w0 50%", "w1 20%"]
        assert found[0][0].kind == "second"
        many = fans(own, tuple(np.full(30, 0.03)))
        assert len(step_labels(own, many)[0]) == 1 + NAMED_RAYS

    def test_in_space_there_are_none(self):
        own = track(3)
        assert word_labels([own]) == step_labels(own, fans(own)) == []

    def test_something_is_always_seen(self):
        assert [shown(it) for it in WORDS] == ["the", "ocean", "is", "deep", "“.”", "⏎"]


class TestRanks:
    def test_the_line_lies_on_a_power_law(self):
        shares = np.arange(1, 5_001, dtype=float) ** -1.2
        shares /= shares.sum()
        law = rank_law(shares)
        figure = rank_figure(shares, law, ["<b>", "two"], LIGHT, "r")
        dots, line = figure.data
        assert dots.x[0] == 1
        assert dots.x[-1] == 5_000
        np.testing.assert_allclose(dots.y, shares[np.array(dots.x) - 1])
        np.testing.assert_allclose(line.y, shares[np.array(line.x) - 1], rtol=1e-6)
        assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
        assert dots.hovertext[0].startswith(plain("<b>"))
        assert dots.hovertext[-1].startswith("rank 5,000")

    def test_of_one_sure_word(self):
        figure = rank_figure(np.array([1.0, 0, 0, 0]), None, ["a"], DARK, "r")
        assert list(figure.data[0].x) == [1]

    def test_parting_moves_its_marker(self):
        apart = np.array([np.nan, 0.2, 0.5, 0.1])
        figure = divergence_figure(apart, ["a", "b", "c", "d"], LIGHT, "r")
        assert [it.name for it in figure.frames] == ["0", "1", "2", "3"]
        assert figure.frames[2].data[0].y[0] == pytest.approx(0.5)
        assert figure.data[0].y[0] is None


def test_the_stage_gets_running_text_labels_of_steps_and_reports():
    figure = trajectory_figure(places(300), [track()], LIGHT, "r")
    picture = Picture(figure, "t", "projected", "a", labels_at=step_labels(track(), ()))
    strips = [Strip("prompt", "red", [(0, 1, " the", False)], flowing=True)]
    player = Player([0.0], strips, ["one"], report=True)
    sent = to_json(Scene("s", [picture], player=player), lambda it: it.tolist(), list)
    assert sent["player"]["report"] is True
    assert sent["player"]["strips"][0]["flowing"] is True
    assert sent["pictures"][0]["labels_at"][1][0]["text"] == "ocean"
    quiet = to_json(Scene("s", [Picture(figure, "t", "projected", "a")]), list, list)
    assert quiet["pictures"][0]["labels_at"] == []
    json.dumps(sent["player"])

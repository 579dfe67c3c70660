"""The page of ``multicam live`` in a browser, as somebody sees and uses it."""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.live_web import LiveServer
from tests.apps.browser import Browser, Tab, find_chromium
from tests.apps.live_fake_engine import FakeEngine

CHROMIUM = find_chromium()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")

VIEW = ".view[data-camera='{}']"
#: Texts whose contrast with what is behind them is less than WCAG 2.2 asks for; over pictures it is not asked.
FAINT = """(() => {
  const canvas = document.createElement("canvas"), context = canvas.getContext("2d", {willReadFrequently: true});
  canvas.width = canvas.height = 1;
  const known = new Map(), plain = color => {
    if (!known.has(color)) known.set(color, read(color));
    return known.get(color);
  };
  const read = color => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = ([red, green, blue]) => [red, green, blue].map(value => value / 255)
    .map(value => value <= .04045 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4)
    .reduce((sum, value, index) => sum + value * [.2126, .7152, .0722][index], 0);
  const behind = node => {
    for (; node; node = node.parentElement) {
      const color = plain(getComputedStyle(node).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  const faint = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let number = 0;
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || node.closest(".stage, noscript, svg, script")) continue;
    if (!node.checkVisibility({visibilityProperty: true})) continue;
    const one = light(plain(getComputedStyle(node).color)), other = light(behind(node));
    const contrast = (Math.max(one, other) + .05) / (Math.min(one, other) + .05);
    number += 1;
    if (contrast < 4.5) faint.push(`${walk.currentNode.data.trim()}: ${contrast.toFixed(2)}`);
  }
  return [number, faint];
})()"""
#: Elements that reach out of the window to the right, and are not cut off or scrolled by something around them.
WIDE = """(() => {
  const cut = node => {
    for (let place = node.parentElement; place && place !== document.body; place = place.parentElement) {
      if (getComputedStyle(place).overflowX !== "visible") return true;
    }
    return false;
  };
  return [...document.querySelectorAll("body *")].filter(node => node.checkVisibility({visibilityProperty: true})
    && node.getBoundingClientRect().right > innerWidth + .5 && !cut(node)).map(node => node.outerHTML.slice(0, 120));
})()"""


class Served:
    """The made-up run, served; what it answers, to compare with what the page shows."""

    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine
        self._port = 0
        self.start()

    def start(self) -> None:
        """Serve, at the same address as before."""
        self._server = LiveServer(self.engine, port=self._port)
        self._port, self.url = self._server.port, self._server.url
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Serve no longer."""
        self._server.stop()
        self._thread.join(10)

    def ask(self, path: str) -> Any:
        """Return what the API answers."""
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self.url + path, timeout=10) as answer:
            content = answer.read()
        return json.loads(content) if answer.headers["Content-Type"].startswith("application/json") else content

    def everybody(self) -> dict[int, dict[str, Any]]:
        """Return who is known, by number."""
        return {person["identity"]: person for person in self.ask("api/people")["people"]}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with FakeEngine(tmp_path_factory.mktemp("live"), rate=6.0) as engine:
        served = Served(engine)
        yield served
        served.stop()


@pytest.fixture(scope="module")
def tab(live: Served) -> Iterator[Tab]:
    assert CHROMIUM is not None
    with Browser(CHROMIUM) as browser, browser.tab() as opened:
        opened.resize(1280, 800)
        opened.open(live.url)
        opened.wait("document.querySelector('.people-list a')", 30)
        yield opened


@pytest.fixture
def page(tab: Tab, live: Served) -> Iterator[Tab]:
    """The page, with people in view. Whatever a test does: the console is silent, and nobody else is asked."""
    tab.run("document.getElementById('tab-people').click()")
    tab.wait("document.querySelector('.view:not(.floor) .person')", 15)
    tab.complaints.clear()
    yield tab
    if tab.run("document.querySelector('dialog[open]') !== null"):
        close_card(tab)
    # A picture in a list may have been replaced by a better one just before it was asked for; and reading pixels
    # back is what these tests do, not the page.
    assert [said for said in tab.complaints if "/api/crops/" not in said and "willReadFrequently" not in said] == []
    own = (live.url, live.url.replace("http", "ws"), "blob:", "data:")
    assert [address for address in tab.requests if not address.startswith(own)] == []


def until(true: Callable[[], Any], seconds: float = 8.0) -> Any:
    """Wait until something of the run is true, and return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := true():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds:g} s")


def open_card(page: Tab, identity: int) -> None:
    page.run(f"location.hash = 'person-{identity}'")
    page.wait("document.querySelector('#card[open] .sightings tbody tr')")
    page.wait("document.getElementById('card').getAnimations().length === 0")


def close_card(page: Tab) -> None:
    page.press("Escape")
    page.wait("!document.querySelector('dialog[open]')")


def test_views_move_and_people_carry_their_numbers(page: Tab, live: Served) -> None:
    pictures = "[...document.querySelectorAll('.view:not(.floor) .picture')].map(canvas => canvas.toDataURL())"
    page.wait(f"new Set({pictures}).size === 3")
    before = page.run(pictures)
    page.wait(f"{pictures}.every((picture, index) => picture !== {json.dumps(before)}[index])")
    shown = page.run("[...document.querySelectorAll('.person')].map(link => link.getAttribute('href'))")
    assert set(shown) <= {f"#person-{identity}" for identity in live.everybody()}
    assert page.run("document.querySelectorAll('.floor .person').length") > 0
    page.wait(f"document.getElementById('summary').textContent.includes('{len(live.everybody())} people known')")


def test_a_click_on_a_box_opens_the_card(page: Tab) -> None:
    near: set[int] = set()
    # Who walks may be past where the click goes, on a slow machine: then again, as anybody would.
    for _ in range(8):
        left, top = page.run(
            "(() => { const box = document.querySelector('.view:not(.floor) .person')?.getBoundingClientRect();"
            " return box ? [box.x + box.width / 2, box.y + box.height / 2] : [0, 0]; })()"
        )
        near |= set(page.run("[...document.querySelectorAll('.view .person')].map(link => link.identity)"))
        page.click(left, top)
        with contextlib.suppress(AssertionError):
            page.wait("document.querySelector('#card[open]')", 1.0)
            break
    page.wait("document.querySelector('#card[open] .sightings tbody tr')")
    assert page.run("Number(document.querySelector('#card-title .pill').textContent.slice(1))") in near
    page.wait("[...document.querySelectorAll('#card .crop-button img')].some(image => image.naturalWidth > 0)")
    assert page.run("document.querySelectorAll('#card .timeline .bar').length") > 0
    # Calibrated: the way on the floor is drawn in the identity's colour.
    page.wait("document.querySelector('#card .path')?.getAttribute('aria-label')")


def test_all_of_it_can_be_reached_by_keyboard(page: Tab) -> None:
    for _ in range(40):
        page.press("Tab")
        if page.run("document.activeElement.matches('.view:not(.floor) .person')"):
            break
    identity = page.run("document.activeElement.identity")
    assert identity, "the Tab key does not reach a person"
    assert page.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press("Enter")
    page.wait("document.querySelector('#card[open] .sightings tbody tr')")
    assert page.run("document.querySelector('#card-title .pill').textContent") == f"#{identity}"
    for _ in range(12):
        page.press("Tab")
        assert page.run("document.activeElement === document.body || document.activeElement.closest('#card') !== null")
    close_card(page)
    assert page.run("location.hash") == ""
    page.run("document.getElementById('tab-people').focus()")
    page.press("ArrowRight")
    assert page.run("document.activeElement.id") == "tab-search"
    assert page.run("document.getElementById('panel-search').checkVisibility()")


def test_search_finds_the_person(page: Tab, live: Served, tmp_path: Path) -> None:
    identity, person = next((number, known) for number, known in live.everybody().items() if known["crop"])
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(live.ask(f"api/crops/{person['crop']}.jpg"))
    page.choose_files("#photo-input", photo)
    page.wait("document.querySelectorAll('.answers a').length > 1")
    first = page.run("document.querySelector('.answers a').getAttribute('href')")
    scores = page.run(
        "[...document.querySelectorAll('.answers .score > span:last-child')].map(node => Number(node.textContent))"
    )
    assert first == f"#person-{identity}"
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.95 > scores[-1]
    page.click_on(".answers a")
    page.wait("document.querySelector('#card[open]')")
    close_card(page)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(photo.read_bytes()[:40])
    page.choose_files("#photo-input", broken)
    page.wait("document.querySelector('#search-said.error')")
    assert page.run("document.querySelectorAll('.answers a').length") == 0
    # The browser notes that the server refuses it, and that it cannot show it itself.
    page.complaints = [said for said in page.complaints if "/api/search" not in said]


def test_names_are_text_whatever_they_are(page: Tab, live: Served) -> None:
    name = "<img src=x onerror='window.hit = 1'> & <b>Ann</b>"
    identity = next(iter(live.everybody()))
    open_card(page, identity)
    page.click_on("#card-name")
    page.type(name)
    page.press("Enter")
    page.wait(f"document.querySelector('#card-title .name').textContent === {json.dumps(name)}")
    close_card(page)
    shown = (
        f"[...document.querySelectorAll('#people-list .name')].some(node => node.textContent === {json.dumps(name)})"
    )
    page.wait(shown)
    page.run("document.getElementById('tab-events').click()")
    page.wait(f"document.getElementById('event-list').textContent.includes({json.dumps('is called ' + name)})")
    assert page.run("window.hit === undefined && !document.querySelector('[onerror]')")
    assert live.everybody()[identity]["name"] == name
    live.engine.rename(identity, None)


def test_two_become_one_and_a_sighting_somebody_else(page: Tab, live: Served) -> None:
    kept, gone = sorted(live.everybody())[:2]
    open_card(page, gone)
    page.click_on("#card-merge")
    other = f".picker a[aria-label*='#{kept}']"
    page.wait(f'document.querySelector("{other}")')
    page.click_on(other)
    page.wait("document.querySelector('.question[open]')")
    page.click_on(".question .main")
    page.wait(f"document.querySelector('#card-title .pill').textContent === '#{kept}'")
    assert gone not in live.everybody()
    page.wait("document.querySelector('#card .sightings .plain')")
    page.click_on("#card .sightings tbody tr:last-child .plain")
    page.wait("document.querySelector('.question[open]')")
    page.click_on(".question .main")
    page.wait(f"document.querySelector('#card-title .pill').textContent !== '#{kept}'")
    new = page.run("Number(document.querySelector('#card-title .pill').textContent.slice(1))")
    assert new in live.everybody()
    page.wait("document.querySelector('#card-erase')")
    page.click_on("#card-erase")
    page.wait("document.querySelector('.question[open]')")
    page.click_on(".question .danger")
    page.wait("!document.querySelector('dialog[open]')")
    assert new not in live.everybody()


def test_a_camera_that_dies_is_shown_as_down_and_comes_back(page: Tab, live: Served) -> None:
    till, note = VIEW.format("till"), f'document.querySelector("{VIEW.format("till")} .down-note")'
    assert page.run(f"{note}.hidden")
    live.engine.down("till")
    try:
        page.wait(f"!{note}.hidden")
        assert "connection refused" in page.run(f"{note}.textContent")
        assert "ago" in page.run(f"{note}.textContent")
        assert page.run(f'document.querySelector("{till} .badge").textContent') == "Reconnecting"
        assert page.run(f'document.querySelectorAll("{till} .person").length') == 0
        assert page.run(f'document.querySelector("{VIEW.format("hall")} .badge").textContent') == "Live"
    finally:
        live.engine.up("till")
    page.wait(f"{note}.hidden")
    picture = f'document.querySelector("{till} .picture").toDataURL()'
    before = page.run(picture)
    page.wait(f"{picture} !== {json.dumps(before)}")


def test_a_zone_drawn_with_the_mouse_counts(page: Tab, live: Served) -> None:
    page.run("document.getElementById('tab-zones').click()")
    assert page.run("document.getElementById('no-zones').checkVisibility()")
    page.click_on("#draw-zone")
    left, top, width, height = page.run(
        f'(() => {{ const {{x, y, width, height}} = document.querySelector("{VIEW.format("hall")} .stage")'
        ".getBoundingClientRect(); return [x, y, width, height]; })()"
    )
    corners = [(0.02, 0.5), (0.98, 0.5), (0.98, 0.96), (0.02, 0.96)]
    for x, y in [*corners, corners[0]]:
        page.click(left + x * width, top + y * height)
    page.wait("document.activeElement.id === 'draw-name'")
    # A corner is moved once the shape is closed.
    page.mouse("pressed", left + 0.02 * width, top + 0.5 * height)
    for step in (0.3, 0.6, 1):
        page.mouse("moved", left + (0.02 + 0.1 * step) * width, top + 0.5 * height)
    page.mouse("released", left + 0.12 * width, top + 0.5 * height)
    page.run("document.getElementById('draw-name').select()")
    page.type("shelf")
    page.press("Enter") if page.run("document.activeElement.id === 'draw-name'") else page.click_on("#draw-save")
    page.wait("document.querySelector('#zone-list .zone-row')")
    (zone,) = live.ask("api/zones")["zones"]
    assert (zone["name"], zone["camera"]) == ("shelf", "hall")
    shown_height = page.run(f'document.querySelector("{VIEW.format("hall")} .stage").clientHeight')
    ratio = 640 / 360
    inside = shown_height if width / height >= ratio else width / ratio
    for (x, y), (u, v) in zip([(0.12, 0.5), *corners[1:]], zone["polygon"], strict=True):
        assert abs(u - x) < 0.02
        assert abs(v - min(((y - 0.5) * height / inside) + 0.5, 1)) < 0.02
    until(lambda: live.engine.counts()["zones"][0]["entered"] > 0)
    page.wait("Number(document.querySelector('#zone-list .figures div:nth-child(2) dd').textContent) > 0")
    page.wait(f'/shelf.*now/.test(document.querySelector("{VIEW.format("hall")} .legend").textContent)')
    assert b"shelf" in live.ask("api/zones/counts.csv?interval=60")
    page.click_on("#zone-list [aria-label='Delete shelf']")
    page.click_on(".question .danger")
    page.wait("!document.querySelector('#zone-list .zone-row')")
    assert live.ask("api/zones")["zones"] == []


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_all_is_readable_and_nothing_sticks_out(page: Tab, live: Served, width: int, dark: bool) -> None:
    page.resize(width, 740, dark=dark, phone=width < 500)
    for tab in ("people", "search", "zones", "events", "health"):
        page.run(f"document.getElementById('tab-{tab}').click()")
        page.wait(f"document.getElementById('panel-{tab}').checkVisibility()")
        number, faint = page.run(FAINT)
        assert faint == [], tab
        assert number > 10
        assert page.run(WIDE) == [], tab
    open_card(page, next(iter(live.everybody())))
    number, faint = page.run(FAINT)
    assert faint == []
    assert page.run(WIDE) == []
    content = "document.getElementById('card-content')"
    assert page.run(f"{content}.scrollWidth <= {content}.clientWidth")
    assert page.run("document.documentElement.scrollWidth <= innerWidth && document.body.scrollWidth <= innerWidth")
    # Canvases have colours of the theme: the floor is dark in the dark.
    floor = page.run("[...document.querySelector('.floor .picture').getContext('2d').getImageData(60, 60, 1, 1).data]")
    assert floor[3] == 0 or (max(floor[:3]) < 80) == dark


def test_who_does_not_look_asks_for_no_pictures(page: Tab) -> None:
    watched = [message for message in page.sent if '"watch"' in message]
    assert set(json.loads(watched[-1])["cameras"]) == {"entrance", "hall", "till"}
    page.run("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    page.run("document.dispatchEvent(new Event('visibilitychange'))")
    page.run("1")
    asked = [message for message in page.sent if '"watch"' in message][-1]
    page.run("delete document.hidden")
    page.run("document.dispatchEvent(new Event('visibilitychange'))")
    assert json.loads(asked)["cameras"] == []


def test_a_lost_connection_is_said_and_found_again(page: Tab, live: Served) -> None:
    live.stop()
    try:
        page.wait("document.getElementById('banner').checkVisibility()")
        assert "lost" in page.run("document.getElementById('banner').textContent")
        page.wait("/Trying/.test(document.getElementById('banner-count').textContent)")
    finally:
        live.start()
    page.click_on("#banner-now")
    page.wait("!document.getElementById('banner').checkVisibility()")
    picture = "document.querySelector('.view .picture').toDataURL()"
    before = page.run(picture)
    page.wait(f"{picture} !== {json.dumps(before)}")
    # While nobody answered the browser noted that.
    page.complaints.clear()

"""What keeps people out of a page, as axe-core finds it."""

from asl.infra import page_files

_PACKAGE = page_files.Package(
    "axe-core",
    "4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    {"axe.min.js": "axe.js"},
)
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
_RULES_OF_COLOURS = ["color-contrast"]
_TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
_PHONE = {"width": 360, "height": 720}
_SERIOUS = {"serious", "critical"}


class Axe:
    """axe-core, fetched into a folder."""

    def __init__(self, folder):
        page_files.fetch([_PACKAGE], folder)
        self._script = (folder / "axe.js").read_text(encoding="utf-8")

    def serious_in_all(self, visit, folder):
        """Look at the page in light and dark and on a phone, without motion, and leave a picture of each.

        Args:
            visit: Where the page is open.
            folder: Where the pictures go.

        Returns:
            What is serious: the rule, what it asks for, and the first places that break it; empty where all is well.
        """
        page, found = visit.page, []
        # What colours do not change is looked at once.
        for colours, rules in (("light", _RULES), ("dark", _RULES_OF_COLOURS)):
            page.emulate_media(color_scheme=colours, reduced_motion="reduce")
            page.evaluate(_TWO_FRAMES)
            found += self._serious(page, rules)
            page.screenshot(path=folder / f"{colours}.png", full_page=True)
        motion = page.evaluate("getComputedStyle(document.querySelector('button')).transitionProperty")
        size = page.viewport_size
        page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        page.set_viewport_size(_PHONE)
        page.evaluate(_TWO_FRAMES)  # in which curves take their new width
        width = page.evaluate("document.documentElement.scrollWidth")
        page.screenshot(path=folder / "phone.png", full_page=True)
        page.set_viewport_size(size)
        if motion != "none":
            found.append(("reduced motion", "expected no transitions", motion))
        if width > _PHONE["width"]:
            found.append(("phone", f"expected {_PHONE['width']} px at most", width))
        return found

    def _serious(self, page, rules):
        if not page.evaluate("'axe' in window"):
            page.evaluate(self._script)
        found = page.evaluate("only => axe.run({runOnly: only}).then(({violations}) => violations)", rules)
        return [
            (one["id"], one["help"], [node["html"][:200] for node in one["nodes"][:3]])
            for one in found
            if one["impact"] in _SERIOUS
        ]

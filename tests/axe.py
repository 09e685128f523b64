"""What keeps people out of a page, as axe-core finds it."""

from asl.infra import page_files

_PACKAGE = page_files.Package(
    "axe-core",
    "4.14.1",
    "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    {"axe.min.js": "axe.js"},
)
ALL = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
COLOURS = ["color-contrast"]
_SERIOUS = {"serious", "critical"}


class Axe:
    """axe-core, fetched into a folder."""

    def __init__(self, folder):
        page_files.fetch([_PACKAGE], folder)
        self._script = (folder / "axe.js").read_text(encoding="utf-8")

    def serious(self, page, rules):
        """Return what is serious on a page: the rule, what it asks for, and the first places that break it."""
        if not page.evaluate("'axe' in window"):
            page.evaluate(self._script)
        found = page.evaluate("only => axe.run({runOnly: only}).then(({violations}) => violations)", rules)
        return [
            (one["id"], one["help"], [node["html"][:200] for node in one["nodes"][:3]])
            for one in found
            if one["impact"] in _SERIOUS
        ]

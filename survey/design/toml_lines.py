"""On which line of a TOML text each key stands; tomllib doesn't tell."""

import re
import tomllib

from survey.design.serial import Place, spelled

TOKEN = re.compile(
    r'''
    (?P<space> [ \t\r]+ | \#[^\n]* )
  | (?P<newline> \n )
  | (?P<string> """(?:\\.|[^\\])*?""""{0,2} | \'\'\'.*?\'\'\'\'{0,2} | "(?:\\.|[^"\\])*" | '[^']*' )
  | (?P<mark> [\[\]{}=,.] )
  | (?P<bare> [^\[\]{}=,.\s\#"']+ )
    ''',
    re.VERBOSE | re.DOTALL,
)
END = ("end", "", 0)


def lines_of(text: str) -> dict[str, int]:
    """The line of every table, key and list entry, by its place as in `blocks[1].trials`.

    The text must be valid TOML. The first line that names a place counts.
    """
    return _Reader(text).read()


class _Reader:
    """Walks over the tokens of a valid text; values are stepped over, not understood."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str, int]] = []
        line = 1
        for match in TOKEN.finditer(text):
            if match.lastgroup != "space":
                self.tokens.append((str(match.lastgroup), match.group(), line))
            line += match.group().count("\n")
        self.position = 0
        self.lines: dict[str, int] = {}
        self.entries: dict[Place, int] = {}

    def read(self) -> dict[str, int]:
        table: Place = ()
        while self._next() != END:
            if self._next()[0] == "newline":
                self.position += 1
            elif self._next()[1] == "[":
                table = self._header()
            else:
                self._member(table)
        return self.lines

    def _next(self) -> tuple[str, str, int]:
        return self.tokens[self.position] if self.position < len(self.tokens) else END

    def _skip(self, mark: str) -> bool:
        if self._next()[1] != mark or self._next()[0] != "mark":
            return False
        self.position += 1
        return True

    def _note(self, place: Place, line: int) -> None:
        self.lines.setdefault(spelled(place), line)

    def _header(self) -> Place:
        line = self._next()[2]
        self._skip("[")
        is_entry = self._skip("[")
        names = self._key()
        place: Place = ()
        for i, name in enumerate(names):
            place = (*place, name)
            self._note(place, line)
            if is_entry and i == len(names) - 1:
                self.entries[place] = self.entries.get(place, -1) + 1
            if place in self.entries:
                place = (*place, self.entries[place])
        self._note(place, line)
        while self._skip("]"):
            pass
        return place

    def _key(self) -> list[str]:
        names = []
        while self._next()[0] in ("bare", "string"):
            kind, text, _ = self._next()
            names.append(tomllib.loads(f"key = {text}")["key"] if kind == "string" else text)
            self.position += 1
            self._skip(".")
        return names

    def _member(self, table: Place) -> None:
        line = self._next()[2]
        place = table
        for name in self._key():
            place = (*place, name)
            self._note(place, line)
        self._skip("=")
        self._value(place)

    def _value(self, place: Place) -> None:
        if self._skip("["):
            self._list(place)
        elif self._skip("{"):
            self._inline_table(place)
        else:
            while self._next()[0] in ("bare", "string") or self._skip("."):
                self.position += self._next()[0] in ("bare", "string")

    def _list(self, place: Place) -> None:
        count = 0
        while not self._skip("]"):
            if self._next()[0] == "newline" or self._next()[1] == ",":
                self.position += 1
                continue
            self._note((*place, count), self._next()[2])
            self._value((*place, count))
            count += 1

    def _inline_table(self, place: Place) -> None:
        while not self._skip("}"):
            if not self._skip(","):
                self._member(place)

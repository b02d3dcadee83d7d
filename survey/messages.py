"""PURE. What the design and the stimuli say to people."""

from collections.abc import Callable
from typing import Any


class Message(str):
    """An English sentence that remembers its template and values, to be said in other languages.

    The catalogues of the survey hold the templates, which is why each is a literal.
    """

    template: str
    values: dict[str, object]

    def __new__(cls, template: str, **values: object) -> "Message":
        message = super().__new__(cls, template % values)
        message.template, message.values = template, values
        return message

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, object]]:
        return (self.template,), self.values  # for copies

    def say(self, translate: Callable[[str], str]) -> str:
        """The sentence, its values translated too where they are messages themselves."""
        values = {
            name: value.say(translate) if isinstance(value, Message) else value
            for name, value in self.values.items()
        }
        return translate(self.template) % values


def packed(message: object) -> Any:
    """A message as JSON can hold it, to be said in the language of whoever reads it later."""
    if not isinstance(message, Message):
        return message
    values = {name: packed(value) for name, value in message.values.items()}
    return {"template": message.template, "values": values}


def unpacked(data: Any) -> Any:
    """What was packed: a message, or the plain value that it was."""
    if not isinstance(data, dict):
        return data
    template, values = data["template"], data["values"]
    return Message(template, **{name: unpacked(value) for name, value in values.items()})

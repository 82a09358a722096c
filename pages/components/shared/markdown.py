"""Text that is safe inside Markdown."""


def escape(text: str) -> str:
    """A name as plain text inside Markdown."""
    return "".join(f"\\{sign}" if sign in "\\`*_{}[]<>()#+-.!|~:$" else sign for sign in text)

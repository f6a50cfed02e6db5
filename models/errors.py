"""The one exception tree. Every message names the thing, what was found and what to do.

DocmillError
├── ConfigError          docmill.toml, a spec file or the environment is wrong
│   └── NoKey            this host has no API key for an engine; others may
├── InputError           something the user passed cannot be used
│   ├── NotFound         no batch, document or file of that name
│   └── Changed          somebody else is at it, or changed it meanwhile
├── ServiceAway          Postgres, Redis or an embedded server cannot be reached
├── ReadError            a document cannot be read            (worker/read)
└── EngineError          an engine did not answer a prompt    (worker/llm/engine.py)
"""


class DocmillError(Exception):
    """Anything that Docmill itself reports. Commands print it and exit with 1."""


class ConfigError(DocmillError):
    """docmill.toml, a spec file or the environment is wrong."""


class NoKey(ConfigError):
    """This host has no API key for an engine; others may."""


class InputError(DocmillError):
    """Something that the user passed cannot be used."""


class NotFound(InputError):
    """There is no batch, document or file of that name."""


class Changed(InputError):
    """Somebody else is at what the user wants to change, or changed it meanwhile."""


class ServiceAway(DocmillError):
    """Postgres, Redis or an embedded server cannot be reached."""


class ReadError(DocmillError):
    """A document cannot be read; `category` says why in one word.

    Categories: needs_password, needs_ocr, unsupported, damaged, too_many_pages, too_much_text,
    too_large, encoding, reader_timeout, reader_memory, reader_crashed; of pages that a model is
    shown engine_away, engine_died.
    """

    def __init__(self, category: str, message: str) -> None:
        super().__init__(message)
        self.category = category

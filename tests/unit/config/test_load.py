"""Configurations are taken whole or refused with every problem, its place, and no secret."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.config import document
from turnout.config.load import ConfigError, Problem, load_file, load_text, read_text
from turnout.config.schema import Config

KNOWN = ("openai", "anthropic")
SECRET = "hunter2-hunter2"

GOOD = """
server: {port: 9000, annotate_body: no}
providers:
  openai: {dialect: openai_chat, api_key: ${OPENAI_API_KEY}, tags: [us, no], deadlines: {total_ms: 1_000}}
  house: {dialect: anthropic, base_url: "https://llm.example/v1"}
models:
  gpt-4o: {provider: openai, id: 4, fallbacks: [mine, openai/gpt-4o-mini], price: {input: 2.5, output: 1e1}, aliases: [best]}
  gpt-4o-mini: {provider: openai}
  mine: {provider: house, tier: large, capabilities: [tools]}
routing:
  tiers: {light: [gpt-4o-mini], standard: [best]}
  tasks: {code_generation: mine}
policies: {strict: {require_tags: [us], deny_models: [mine]}}
keys:
  - {name: app, key: "${APP_KEY:-change-this}", policies: [strict], models: [best]}
log:
"""


def problems(text: str, env: dict[str, str] | None = None) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load_text(text, "turnout.yaml", env or {}, KNOWN)
    return caught.value.problems


def only(text: str, env: dict[str, str] | None = None) -> Problem:
    (problem,) = problems(text, env)
    return problem


def test_a_good_file() -> None:
    config = load_text(GOOD, "turnout.yaml", {"OPENAI_API_KEY": "sk-1"}, KNOWN)
    assert config.server.port == 9000
    assert config.server.annotate_body is False
    assert config.providers["openai"].api_key == "sk-1"
    assert config.providers["openai"].tags == ("us", "no")
    assert config.providers["openai"].deadlines.total_ms == 1000
    assert config.models["gpt-4o"].id == "4"
    assert config.models["gpt-4o"].price is not None
    assert config.models["gpt-4o"].price.output == 10.0
    assert config.keys[0].key == "change-this"
    assert config.log == Config().log


SKETCH = """
server: {host: 127.0.0.1, port: 8080}
providers:
  openai:    {dialect: openai_chat, base_url: https://api.openai.com/v1, api_key: ${OPENAI_API_KEY}, tags: [us, soc2]}
  anthropic: {dialect: anthropic, base_url: https://api.anthropic.com, api_key: ${ANTHROPIC_API_KEY}}
models:
  gpt-4o:        {provider: openai, tier: standard, fallbacks: [claude-sonnet]}
  claude-sonnet: {provider: anthropic, id: claude-sonnet-4-6, price: {input: 1.25, output: 10, cached_input: 0.31}}  # USD
routing:
  tasks: {code_generation: gpt-4o}
resilience:
  deadlines: {connect_ms: 5000, first_token_ms: 20000, stall_ms: 30000, total_ms: 600000}   # also per provider
keys:                                     # static keys
  - {name: app, key: ${TURNOUT_KEY_APP}}
"""


def test_variables_need_no_quotes() -> None:
    """As everybody writes them first: plain, inside braces, with comments behind."""
    env = {"OPENAI_API_KEY": "sk-1, }#", "ANTHROPIC_API_KEY": "sk: 2", "TURNOUT_KEY_APP": "[12345678]"}
    config = load_text(SKETCH, "turnout.yaml", env, KNOWN)
    assert [provider.api_key for provider in config.providers.values()] == ["sk-1, }#", "sk: 2"]
    assert config.keys[0].key == "[12345678]"
    assert config.providers["openai"].tags == ("us", "soc2")


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "~", "{}"])
def test_an_empty_file_is_all_defaults(text: str) -> None:
    assert load_text(text, "turnout.yaml", {}, KNOWN) == Config()


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "turnout.yaml"
    path.write_bytes(b"\xef\xbb\xbfserver: {port: 1}\n")
    assert load_file(path, {}, KNOWN).server.port == 1
    with pytest.raises(FileNotFoundError):
        load_file(tmp_path / "none.yaml", {}, KNOWN)


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [(b"store: x\n\xff\xfe", 2, "not UTF-8 text"), (b"#" * (4 * 1024 * 1024 + 1), 1, "larger than 4 MiB")],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, content: bytes, line: int, message: str) -> None:
    path = tmp_path / "turnout.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_file(path, {}, KNOWN)
    (problem,) = caught.value.problems
    assert (problem.line, problem.message) == (line, message)


# text, place, key, part of the message, one of the values allowed
WRONG = [
    ("serve: 1", (1, 1), "serve", "did you mean server?", "server"),
    ("server:\n  prot: 1", (2, 3), "server.prot", "there is no field 'prot'; did you mean port?", "port"),
    ("server: {port: high}", (1, 16), "server.port", "is not a whole number", ""),
    ("server: {port: 1__0}", (1, 16), "server.port", "is not a whole number", ""),
    ("server: {port: }", (1, 16), "server.port", "has no value", ""),
    ("server: {port: 65536}", (1, 16), "server.port", "at most 65535", ""),
    ("server: {port: [1]}", (1, 16), "server.port", "expected a whole number, found a list", ""),
    ("server: {annotate_body: 2}", (1, 25), "server.annotate_body", "is not true or false", ""),
    ("server: 8080", (1, 9), "server", "expected a section with fields, found a single value", ""),
    ("- server", (1, 1), "", "expected a section with fields, found a list", ""),
    ("server: {port: 1, port: 2}", (1, 19), "server.port", "is given twice; first on line 1", ""),
    ("routing: {tiers: {lite: []}}", (1, 19), "routing.tiers.lite", "did you mean light?", "standard"),
    ("routing: {tasks: {code: a}}", (1, 19), "routing.tasks.code", "not one of the names", "tool_use"),
    ("models: {a: {provider: openai, tier: larg}}", (1, 38), "models.a.tier", "did you mean large?", "light"),
    ("models: {a: {provider: openai, tags: x}}", (1, 38), "models.a.tags", "expected a list", ""),
    ("models: {a: {provider: openai, tags: [a b]}}", (1, 39), "models.a.tags[0]", "may only have", ""),
    ("models: {a b: {provider: openai}}", (1, 10), "models", "the name 'a b' may only have", ""),
    ("models: {a: {tier: light}}", (1, 13), "models.a.provider", "is required", ""),
    ("models: {auto: {provider: openai}}", (1, 16), "models.auto", "reserved", ""),
    ("models: {a: {provider: opena}}", (1, 24), "models.a.provider", "did you mean openai?", "anthropic"),
    (
        "models: {a: {provider: openai, fallbacks: [b]}}",
        (1, 44),
        "models.a.fallbacks[0]",
        "no model or alias",
        "a",
    ),
    (
        "models: {a: {provider: openai, aliases: [a]}}",
        (1, 42),
        "models.a.aliases[0]",
        "the name of a model",
        "",
    ),
    (
        "models: {a: {provider: openai, aliases: [x, x]}}",
        (1, 45),
        "models.a.aliases[1]",
        "an alias of a already",
        "",
    ),
    ("models: {a: {provider: openai, aliases: ['auto:x']}}", (1, 42), "models.a.aliases[0]", "reserved", ""),
    (
        "models: {a: {provider: openai, price: {input: -1, output: 1}}}",
        (1, 47),
        "models.a.price.input",
        "at least 0",
        "",
    ),
    (
        "models: {a: {provider: openai, price: {input: .inf, output: 1}}}",
        (1, 47),
        "models.a.price.input",
        "is not a number",
        "",
    ),
    (
        "models: {a: {provider: openai, price: {input: 1e-9, output: 1}}}",
        (1, 47),
        "models.a.price.input",
        "finer than",
        "",
    ),
    (
        "routing: {tiers: {light: [b]}}",
        (1, 27),
        "routing.tiers.light[0]",
        "no model or alias is called so",
        "",
    ),
    ("routing: {tasks: {tool_use: b}}", (1, 29), "routing.tasks.tool_use", "no model or alias", ""),
    ("policies: {p: {allow_models: [b]}}", (1, 31), "policies.p.allow_models[0]", "no model or alias", ""),
    ("policies: {p: {deny_models: [b]}}", (1, 30), "policies.p.deny_models[0]", "no model or alias", ""),
    ("keys: [{name: a, key: 12345678, policies: [p]}]", (1, 44), "keys[0].policies[0]", "no policy", ""),
    (
        "keys: [{name: a, key: 12345678, denied_models: [b]}]",
        (1, 49),
        "keys[0].denied_models[0]",
        "no model",
        "",
    ),
    ("keys: [{name: a, key: '1234567'}]", (1, 23), "keys[0].key", "at least 8 characters", ""),
    ("server: {host: 0.0.0.0}", (1, 16), "server.host", "needs `keys`", ""),
    ("store: postgres://db/x", (1, 8), "store", "not a store that is supported", "sqlite:///relative.db"),
    ("providers: {house: {dialect: ollama}}", (1, 20), "providers.house", "so it needs `base_url`", "openai"),
    ("providers: {house: }", (1, 20), "providers.house", "so it needs `dialect` and `base_url`", ""),
    (
        "providers: {openai: {dialect: x}}",
        (1, 31),
        "providers.openai.dialect",
        "not one of the values",
        "ollama",
    ),
    (
        "providers: {openai: {base_url: 'ftp://x'}}",
        (1, 32),
        "providers.openai.base_url",
        "is not an http://",
        "",
    ),
    (
        "providers: {openai: {base_url: 'http://x:0x'}}",
        (1, 32),
        "providers.openai.base_url",
        "is not an http://",
        "",
    ),
    (
        "providers: {openai: {base_url: 'http://u:p@x'}}",
        (1, 32),
        "providers.openai.base_url",
        "credentials",
        "",
    ),
    ("providers: {openai: {base_url: 'http://x?a=b'}}", (1, 32), "providers.openai.base_url", "a query", ""),
    (
        "providers: {openai: {headers: {a b: c}}}",
        (1, 37),
        "providers.openai.headers.a b",
        "not the name of an HTTP",
        "",
    ),
    (
        'providers: {openai: {headers: {a: "c\\n"}}}',
        (1, 35),
        "providers.openai.headers.a",
        "a line break",
        "",
    ),
    ('providers: {openai: {api_key: "k\\n"}}', (1, 31), "providers.openai.api_key", "a line break", ""),
    ("store: ${NOPE}", (1, 8), "store", "the environment variable NOPE is not set", ""),
    ("store: ${1}", (1, 8), "store", "expected `${VARIABLE}`", ""),
    ("store: '${OPEN'", (1, 8), "store", "expected `${VARIABLE}`", ""),
    ("server: [", (2, 1), "", "not YAML", ""),
    ("server:\n\thost: x", (2, 1), "", "not YAML", ""),
    ("store: *x", (1, 8), "", "an alias", ""),
    ("store: &x [*x]", (1, 12), "", "an alias", ""),
    ("store: !!python/object:os.system x", (1, 8), "", "tags", ""),
    ("{}\n---\n{}", (2, 1), "", "a second document", ""),
    ("? [a]\n: b", (1, 3), "", "a key must be a single word", ""),
    ("store: a\x00b", (1, 1), "", "not allowed", ""),
    ("store: " + "[" * 65 + "]" * 65, (1, 71), "", "deeper than 64", ""),
    ("server:\n  <<: 1", (2, 7), "server", "expected a section to merge", ""),
]


@pytest.mark.parametrize(
    ("text", "place", "key", "message", "allowed"), WRONG, ids=[row[0][:60] for row in WRONG]
)
def test_one_problem(text: str, place: tuple[int, int], key: str, message: str, allowed: str) -> None:
    problem = only(text)
    assert (problem.line, problem.column, problem.key) == (*place, key)
    assert message in problem.message
    assert not allowed or allowed in problem.allowed


def test_every_problem_at_once_in_the_order_of_the_file() -> None:
    text = "server: {port: x, host: '::'}\nmodels:\n  a: {provider: nobody, fallbacks: [b]}\nlog: {keep: 1}\n"
    assert [problem.key for problem in problems(text)] == [
        "server.port",
        "server.host",
        "models.a.provider",
        "models.a.fallbacks[0]",
        "log.keep",
    ]


def test_names_in_parts_that_cannot_be_read_are_not_missed() -> None:
    text = "models:\n  a: {tier: light, aliases: [x]}\n  b: {provider: openai, fallbacks: [a, x]}\n"
    assert [problem.key for problem in problems(text)] == ["models.a.provider"]


def test_doubled_keys() -> None:
    found = problems(f"keys:\n- {{name: a, key: {SECRET}}}\n- {{name: a, key: {SECRET}}}\n")
    assert [problem.key for problem in found] == ["keys[1].name", "keys[1].key"]


def test_a_problem_reads_well() -> None:
    assert str(only("server:\n  port: high  # too high\n")) == (
        "turnout.yaml:2:9: server.port: is not a whole number\n      port: high\n            ^"
    )
    said = str(ConfigError((only("models: {a: {provider: openai, tier: larg}}"),)))
    assert said.endswith("    allowed: large, light, standard")


def test_variables() -> None:
    env = {"PORT": "81", "EMPTY": "", "HOST": "127.0.0.1"}
    text = (
        "server: {host: '${HOST}', port: ${PORT}, depth_max: ${EMPTY:-9}}\nstore: sqlite:///$${x}${NONE:-{y\n"
    )
    assert only(text, env).message.startswith("expected `${VARIABLE}`")
    text = "server: {host: '${HOST}', port: ${PORT}, depth_max: ${EMPTY:-9}}\nstore: sqlite:///$${x}-${NONE:-a, b: c}\n"
    config = load_text(text, "turnout.yaml", env, KNOWN)
    assert (config.server.host, config.server.port, config.server.depth_max) == ("127.0.0.1", 81, 9)
    assert config.store == "sqlite:///${x}-a, b: c"


def test_a_key_that_looks_like_yaml_is_text() -> None:
    text = 'providers: {openai: {api_key: "${K}"}}'
    for value in ("123", "null", "a: b", "*x", "!y", "{z}", "true", "${K}"):
        assert load_text(text, "t", {"K": value}, KNOWN).providers["openai"].api_key == value


def test_anchors_and_merges() -> None:
    text = """
models:
  a: &base {provider: openai, tier: light, tags: &tags [x]}
  b: {<<: *base, tier: large}
  c: {<<: [{tier: standard}, *base], tags: *tags}
"""
    models = load_text(text, "t", {}, KNOWN).models
    assert [(m.provider, m.tier, m.tags) for m in models.values()] == [
        ("openai", "light", ("x",)),
        ("openai", "large", ("x",)),
        ("openai", "standard", ("x",)),
    ]


def test_an_alias_bomb_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnout.config.reader.NODES_MAX", 500)
    items = ", ".join(["x"] * 100)
    models = "".join(f"  m{i}: {{provider: openai, tags: *t}}\n" for i in range(20))
    text = f"models:\n  m: {{provider: openai, tags: &t [{items}]}}\n{models}"
    assert "more than 500 values" in only(text).message


def test_too_many_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "NODES_MAX", 50)
    assert "more than 50 values" in only(f"a: [{', '.join(['x'] * 60)}]").message


def test_many_problems_are_cut() -> None:
    assert len(problems("".join(f"a{i}: 1\n" for i in range(300)))) == 100


@pytest.mark.parametrize(
    "text",
    [
        "store: '" + "${" * 1_000_000 + "'",
        "a: " + "[" * 2_000_000,
        "".join(f"x{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" if i else "x0: &a0 [1]\n" for i in range(1000)),
        "models:\n" + "".join(f"  m{i}: {{provider: openai, fallbacks: [x{i}]}}\n" for i in range(5000)),
        "store: {" + "a" * 3_000_000 + ": 1}",
    ],
    ids=["references", "depth", "aliases", "names", "one name"],
)
@pytest.mark.timeout(30)
def test_hostile_texts_are_refused_soon(text: str) -> None:
    found = problems(text)
    assert 0 < len(found) <= 100
    assert len(str(ConfigError(found))) < 100_000


# -- secrets
LEAKS = [
    "providers:\n  openai: {api_key: SECRET, dialect: x}",
    "providers:\n  openai: {apikey: SECRET}",
    "providers:\n  openai: SECRET",
    "providers: [SECRET]",
    "SECRET",
    "providers:\n  openai:\n    headers: {authorization: SECRET, a b: SECRET}",
    "providers:\n  openai:\n    headers: SECRET",
    "providers:\n  openai:\n    headers: {x: {y: SECRET}}",
    "providers:\n  house: {dialect: y, base_url: 'https://u:SECRET@host'}",
    "providers:\n  house: {dialect: y, base_url: 'https://host/?key=SECRET'}",
    "store: postgres://u:SECRET@host/db",
    "server: {host: 0.0.0.0}  # SECRET",
    "keys:\n  - {name: a, key: SECRET}\n  - {name: a, key: SECRET}",
    "keys:\n  - {name: a b, key: SECRET, policies: [x]}",
    "keys:\n  - {name: a, key: |\n      SECRET\n    }",
    "keys: [{name: [SECRET], key: 1}]",
    "providers:\n\topenai: {api_key: SECRET}",
    "providers:\n  openai: {api_key: *SECRET}",
    "providers:\n  openai: {api_key: !SECRET x}",
    "providers:\n  openai: {api_key: !SECRET!x y}",
    "providers:\n  openai: {api_key: &SECRET [1]}",
    'providers:\n  openai: {api_key: "SECRET}',
    'providers:\n  openai: {api_key: "SECRET\\q"}',
    "providers:\n  openai: {api_key: '${SECRET-x}'}",
    "server: {port: ${ENV}}",
    "routing: {tiers: {light: ['${ENV}']}}",
    "models: {a: {provider: ${ENV}}}",
]


@pytest.fixture(params=["libyaml", "pure Python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "pure Python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    return str(request.param)


def test_a_good_file_with_either_parser(parser: str) -> None:
    config = load_text(GOOD, "turnout.yaml", {"OPENAI_API_KEY": "sk-1"}, KNOWN)
    assert (config.server.port, config.models["gpt-4o"].fallbacks[0]) == (9000, "mine"), parser


@pytest.mark.parametrize("text", LEAKS)
@pytest.mark.usefixtures("parser")
def test_no_secret_is_repeated(text: str) -> None:
    found = problems(text.replace("SECRET", SECRET), {"ENV": SECRET})
    said = str(ConfigError(found)) + repr(found)
    assert SECRET not in said
    assert "hunter2" not in said


WORDS = st.sampled_from(
    [
        *[
            "server",
            "providers",
            "openai",
            "models",
            "keys",
            "a",
            "api_key",
            "key",
            "name",
            "port",
            "1",
            "x",
            "|",
            ">",
            "'",
            "#",
            "~",
            "<<",
            "é",
            "[",
            "]",
            "{",
            "}",
        ],
        *[
            '"',
            ":",
            ": ",
            "\n",
            "\n  ",
            "- ",
            ", ",
            "&a ",
            "*a",
            "!x",
            " ",
            "\t",
            "${A}",
            "$${",
            "${",
            "\u2028",
        ],
    ]
)


@given(st.lists(WORDS, max_size=40).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        load_text(text, "t", {"A": "1"}, KNOWN)
    except ConfigError as error:
        lines = len(text.splitlines()) + 1
        assert all(1 <= problem.line <= lines and problem.column >= 1 for problem in error.problems)
        assert str(error)


@given(
    st.text(string.ascii_letters + string.digits + "!*&#:{}[]'\"|> \\%@", min_size=8, max_size=30).filter(
        lambda s: len(s.strip()) >= 8
    )
)
@settings(max_examples=200, deadline=None)
def test_no_word_of_an_unquoted_secret_is_repeated(rest: str) -> None:
    secret = f"zqzq{rest}zqzq"
    text = f"providers:\n  openai:\n    dialect: nope\n    api_key: {secret}\n    apikey: {secret}\n"
    try:
        load_text(text, "t", {}, KNOWN)
    except ConfigError as error:
        assert "zqzq" not in str(error)


def test_a_model_given_twice_is_the_only_problem() -> None:
    text = "models:\n  b: {provider: openai, fallbacks: [x]}\n  a: {provider: openai}\n  a: {provider: openai, aliases: [x]}\n"
    assert only(text).message == "is given twice; first on line 3"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("server:\n\thost: x\n", (2, 1)),
        ("server:\n  host: x\n\tport: 1\n", (3, 1)),
        ("server:\n  host: x\n  \tport: 1\n", (3, 3)),
    ],
)
@pytest.mark.usefixtures("parser")
def test_a_tab_is_called_a_tab(text: str, place: tuple[int, int]) -> None:
    problem = only(text)
    assert (problem.line, problem.column) == place
    assert "a tab in the indentation; use spaces" in problem.message


@pytest.mark.usefixtures("parser")
def test_an_indentation_or_a_colon_that_is_wrong_is_explained() -> None:
    assert "needs quotes" in only("server:\n  host: a: b\n").message


def test_a_word_where_a_list_is_expected_says_how() -> None:
    assert "`tags: […]`" in only("providers: {openai: {tags: eu}}").message


def test_a_mistyped_provider_names_the_nearest_three_and_no_more() -> None:
    known = [f"provider{number}" for number in range(40)]
    with pytest.raises(ConfigError) as caught:
        load_text("models: {a: {provider: provider7x}}", "t", {}, known)
    said = str(caught.value)
    assert "did you mean provider7, " in said
    assert said.count("provider") == 7  # key, message, three names, excerpt twice
    with pytest.raises(ConfigError, match="turnout providers --known"):
        load_text("models: {a: {provider: zzz}}", "t", {}, known)


def test_who_only_looks_needs_no_variable() -> None:
    text = """
server: {port: "${PORT}"}
store: sqlite:///${STORE}
providers:
  openai: {api_key: "${KEY}"}
  house: {dialect: openai_chat, base_url: "${HOUSE_URL}", headers: {x: "${X}"}}
models: {a: {provider: house}, b: {provider: openai}}
keys: [{name: one, key: "${ONE}"}, {name: two, key: "${TWO}"}]
"""
    found = read_text(text, "t", {}, KNOWN, lenient=True)
    assert found.config.providers["house"].base_url == "http://house-url-is-not-set.invalid"
    assert found.config.providers["openai"].api_key is None
    assert [key.name for key in found.config.keys] == ["one", "two"]
    assert found.reader.unset[("store",)] == "STORE"
    assert len(problems(text)) == 7

"""Requests in eleven languages whose right treatment is known from how they were made: size, needs, limits, policies.

Promise: the same seed gives the same requests. Sizes are counted with a real vocabulary, sentence by sentence, and stay away from the
limits that are tested by more than an estimate may err: what is asserted is the decision, not the estimate.
"""

# ruff: noqa: RUF001 - eleven languages
from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from random import Random

from msgspec import Struct

from tests.laws.bodies import DIALECTS, Asked, spoken
from turnout.core.card import Capability
from turnout.core.model import DialectName

SENTENCES: Mapping[str, tuple[str, ...]] = {
    "en": (
        "The ferry leaves the harbour at half past six and reaches the island before nightfall.",
        "Please list the names of all guests who have paid for breakfast.",
        "Our warehouse received 248 boxes on Tuesday, and three of them were damaged.",
        "She keeps the recipe for plum cake in a blue notebook on the shelf.",
    ),
    "de": (
        "Die Fähre verlässt den Hafen um halb sieben und erreicht die Insel vor Einbruch der Nacht.",
        "Bitte nenne die Namen aller Gäste, die das Frühstück bezahlt haben.",
        "Unser Lager hat am Dienstag 248 Kisten bekommen, drei davon waren beschädigt.",
        "Das Rezept für den Pflaumenkuchen steht in einem blauen Heft auf dem Regal.",
    ),
    "fr": (
        "Le ferry quitte le port à six heures et demie et arrive sur l'île avant la nuit.",
        "Donne les noms de tous les clients qui ont payé le petit déjeuner.",
        "Notre entrepôt a reçu 248 cartons mardi, et trois d'entre eux étaient abîmés.",
        "Elle garde la recette du gâteau aux prunes dans un cahier bleu sur l'étagère.",
    ),
    "es": (
        "El transbordador sale del puerto a las seis y media y llega a la isla antes del anochecer.",
        "Escribe los nombres de todos los huéspedes que han pagado el desayuno.",
        "Nuestro almacén recibió 248 cajas el martes y tres de ellas estaban dañadas.",
        "Ella guarda la receta del pastel de ciruelas en un cuaderno azul del estante.",
    ),
    "it": (
        "Il traghetto lascia il porto alle sei e mezza e raggiunge l'isola prima di notte.",
        "Scrivi i nomi di tutti gli ospiti che hanno pagato la colazione.",
        "Il nostro magazzino ha ricevuto 248 scatole martedì, e tre erano danneggiate.",
        "Tiene la ricetta della torta di prugne in un quaderno blu sullo scaffale.",
    ),
    "pt": (
        "A balsa sai do porto às seis e meia e chega à ilha antes do anoitecer.",
        "Escreva os nomes de todos os hóspedes que pagaram o café da manhã.",
        "O nosso armazém recebeu 248 caixas na terça-feira, e três estavam danificadas.",
        "Ela guarda a receita do bolo de ameixa num caderno azul na prateleira.",
    ),
    "ru": (
        "Паром выходит из порта в половине седьмого и приходит на остров до темноты.",
        "Назови имена всех гостей, которые заплатили за завтрак.",
        "Во вторник наш склад получил 248 коробок, и три из них были повреждены.",
        "Рецепт сливового пирога записан в синей тетради на полке.",
    ),
    "zh": (
        "渡轮六点半离开港口，天黑之前到达岛上。",
        "请列出所有已经付了早餐钱的客人的名字。",
        "我们的仓库星期二收到了248个箱子，其中三个已经损坏。",
        "她把李子蛋糕的做法写在书架上的蓝色笔记本里。",
    ),
    "ja": (
        "フェリーは六時半に港を出て、日が暮れる前に島に着きます。",
        "朝食の代金を払ったお客様の名前をすべて挙げてください。",
        "火曜日に倉庫へ248個の箱が届き、そのうち三個が壊れていました。",
        "彼女はプラムケーキの作り方を棚の青いノートに書いています。",
    ),
    "ko": (
        "배는 여섯 시 반에 항구를 떠나 어두워지기 전에 섬에 도착합니다.",
        "아침 식사 값을 낸 손님의 이름을 모두 적어 주세요.",
        "화요일에 우리 창고에 상자 248개가 왔고 그중 세 개가 부서져 있었습니다.",
        "그녀는 자두 케이크 만드는 법을 선반 위의 파란 공책에 적어 둡니다.",
    ),
    "ar": (
        "تغادر العبّارة الميناء في السادسة والنصف وتصل إلى الجزيرة قبل حلول الليل.",
        "اكتب أسماء جميع الضيوف الذين دفعوا ثمن الفطور.",
        "استلم مستودعنا 248 صندوقا يوم الثلاثاء وكانت ثلاثة منها تالفة.",
        "تحتفظ بوصفة كعكة البرقوق في دفتر أزرق على الرف.",
    ),
}
NEEDS: tuple[Capability, ...] = ("tools", "vision", "documents", "audio", "json_schema", "json_mode")
SIZES = ((5, 300), (300, 2_000), (2_000, 7_000), (70_000, 90_000), (400_000, 410_000))
"""Tokens, from and to: away from 20,000, 50,000 and 300,000, the windows and the limit that are tested, even where an answer is
expected to be as long as its prompt and the estimate is a quarter off."""
WEIGHTS = (800, 120, 60, 17, 3)
LONG_CONTEXT_TOKENS, SMALL_WINDOW, MIDDLE_WINDOW, LARGE_WINDOW = 50_000, 20_000, 300_000, 2_000_000
OUTPUTS = (None, None, None, 16, 900, 5_000, 9_000)
POLICIES = ("region-eu", "no-training", "zero-retention", "certified", "not-overseas")


class Case(Struct, frozen=True):
    """`tokens` are those of the text, truly; media add at most a few thousand."""

    language: str
    dialect: DialectName
    asked: Asked
    tokens: int
    policies: tuple[str, ...]


@cache
def lengths(language: str) -> tuple[int, ...]:
    """Tokens of each sentence with the space before it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # how the package opens its own data
        from bpe_openai import get_encoding  # type: ignore[import-untyped]
    encoding = get_encoding("o200k_base")
    return tuple(len(encoding.encode(f" {sentence}")) for sentence in SENTENCES[language])


def corpus(seed: int, count: int) -> Iterator[Case]:
    random = Random(seed)
    languages = tuple(SENTENCES)
    for number in range(count):
        yield _case(random, languages[number % len(languages)])


def _case(random: Random, language: str) -> Case:
    (least, most), *_ = random.choices(SIZES, WEIGHTS)
    text, tokens = _text(random, language, random.randint(least, most))
    needs = frozenset(random.sample(NEEDS, random.choice((0, 0, 0, 1, 1, 2, 3))))
    earlier: tuple[str, ...] = ()
    more = 0
    if random.random() < 0.2:
        turns = [_text(random, language, random.randint(5, 60)) for _ in range(random.choice((2, 4)))]
        earlier, more = tuple(turn for turn, _ in turns), sum(size for _, size in turns)
    asked = Asked(text, needs, random.choice(OUTPUTS), earlier, random.random() < 0.3)
    dialect = random.choice(DIALECTS)
    policies = tuple(random.sample(POLICIES, random.choice((0, 0, 1, 1, 2))))
    return Case(language, dialect, spoken(dialect, asked), tokens + more, policies)


def _text(random: Random, language: str, tokens: int) -> tuple[str, int]:
    """At least so many tokens."""
    chosen, size = [], 0
    sentences, sizes = SENTENCES[language], lengths(language)
    while size < tokens:
        index = random.randrange(len(sentences))
        chosen.append(sentences[index])
        size += sizes[index]
    return " ".join(chosen), size

"""What the simulated models know: small tables, correct ones. Data only."""

from __future__ import annotations

CAPITALS: dict[str, str] = {
    "argentina": "Buenos Aires",
    "australia": "Canberra",
    "austria": "Vienna",
    "belgium": "Brussels",
    "brazil": "Brasília",
    "bulgaria": "Sofia",
    "canada": "Ottawa",
    "chile": "Santiago",
    "china": "Beijing",
    "colombia": "Bogotá",
    "croatia": "Zagreb",
    "cuba": "Havana",
    "czechia": "Prague",
    "denmark": "Copenhagen",
    "egypt": "Cairo",
    "england": "London",
    "estonia": "Tallinn",
    "ethiopia": "Addis Ababa",
    "finland": "Helsinki",
    "france": "Paris",
    "germany": "Berlin",
    "greece": "Athens",
    "hungary": "Budapest",
    "iceland": "Reykjavik",
    "india": "New Delhi",
    "indonesia": "Jakarta",
    "iran": "Tehran",
    "iraq": "Baghdad",
    "ireland": "Dublin",
    "israel": "Jerusalem",
    "italy": "Rome",
    "japan": "Tokyo",
    "kenya": "Nairobi",
    "latvia": "Riga",
    "lithuania": "Vilnius",
    "malaysia": "Kuala Lumpur",
    "mexico": "Mexico City",
    "morocco": "Rabat",
    "netherlands": "Amsterdam",
    "new zealand": "Wellington",
    "nigeria": "Abuja",
    "norway": "Oslo",
    "pakistan": "Islamabad",
    "peru": "Lima",
    "philippines": "Manila",
    "poland": "Warsaw",
    "portugal": "Lisbon",
    "romania": "Bucharest",
    "russia": "Moscow",
    "saudi arabia": "Riyadh",
    "scotland": "Edinburgh",
    "serbia": "Belgrade",
    "singapore": "Singapore",
    "slovakia": "Bratislava",
    "slovenia": "Ljubljana",
    "south korea": "Seoul",
    "spain": "Madrid",
    "sweden": "Stockholm",
    "switzerland": "Bern",
    "thailand": "Bangkok",
    "turkey": "Ankara",
    "ukraine": "Kyiv",
    "united kingdom": "London",
    "united states": "Washington, D.C.",
    "usa": "Washington, D.C.",
    "vietnam": "Hanoi",
}

# All words of the key, in any order, must be in the question.
FACTS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("speed", "light"), "Light travels at 299,792,458 metres per second in a vacuum."),
    (("boiling", "water"), "Water boils at 100 °C (212 °F) at sea-level pressure."),
    (("largest", "planet"), "Jupiter is the largest planet in the Solar System."),
    (("smallest", "planet"), "Mercury is the smallest planet in the Solar System."),
    (("tallest", "mountain"), "Mount Everest is the tallest mountain above sea level, at 8,849 metres."),
    (("highest", "mountain"), "Mount Everest is the highest mountain above sea level, at 8,849 metres."),
    (("wrote", "hamlet"), "William Shakespeare wrote Hamlet, around 1600."),
    (("painted", "mona", "lisa"), "Leonardo da Vinci painted the Mona Lisa."),
    (("chemical", "symbol", "gold"), "The chemical symbol for gold is Au."),
    (("chemical", "symbol", "water"), "Water's chemical formula is H2O."),
    (("days", "leap", "year"), "A leap year has 366 days."),
    (("how", "many", "continents"), "There are seven continents."),
    (("world", "war", "end"), "The Second World War ended in 1945."),
    (("moon", "landing"), "People first landed on the Moon on 20 July 1969, with Apollo 11."),
    (
        ("color", "sky"),
        "The sky is blue, because air scatters short wavelengths of sunlight more than long ones.",
    ),
    (
        ("colour", "sky"),
        "The sky is blue, because air scatters short wavelengths of light more than long ones.",
    ),
    (
        ("sky", "blue"),
        "The sky is blue because air scatters blue light more strongly than red light (Rayleigh scattering).",
    ),
)

PHRASES: dict[str, dict[str, str]] = {
    "hello": {
        "french": "Bonjour",
        "spanish": "Hola",
        "german": "Hallo",
        "italian": "Ciao",
        "japanese": "こんにちは",
    },
    "good morning": {
        "french": "Bonjour",
        "spanish": "Buenos días",
        "german": "Guten Morgen",
        "italian": "Buongiorno",
        "japanese": "おはようございます",
    },
    "thank you": {
        "french": "Merci",
        "spanish": "Gracias",
        "german": "Danke",
        "italian": "Grazie",
        "japanese": "ありがとうございます",
    },
    "goodbye": {
        "french": "Au revoir",
        "spanish": "Adiós",
        "german": "Auf Wiedersehen",
        "italian": "Arrivederci",
        "japanese": "さようなら",
    },
    "how are you": {
        "french": "Comment allez-vous ?",
        "spanish": "¿Cómo estás?",
        "german": "Wie geht es dir?",
        "italian": "Come stai?",
        "japanese": "お元気ですか",
    },
    "good night": {
        "french": "Bonne nuit",
        "spanish": "Buenas noches",
        "german": "Gute Nacht",
        "italian": "Buona notte",
        "japanese": "おやすみなさい",
    },
    "where is the train station": {
        "french": "Où est la gare ?",
        "spanish": "¿Dónde está la estación de tren?",
        "german": "Wo ist der Bahnhof?",
        "italian": "Dov'è la stazione?",
        "japanese": "駅はどこですか",
    },
    "i love you": {
        "french": "Je t'aime",
        "spanish": "Te quiero",
        "german": "Ich liebe dich",
        "italian": "Ti amo",
        "japanese": "愛しています",
    },
}

WORDS: dict[str, dict[str, str]] = {
    "french": {
        "the": "le",
        "cat": "chat",
        "dog": "chien",
        "house": "maison",
        "is": "est",
        "and": "et",
        "water": "eau",
    },
    "spanish": {
        "the": "el",
        "cat": "gato",
        "dog": "perro",
        "house": "casa",
        "is": "es",
        "and": "y",
        "water": "agua",
    },
    "german": {
        "the": "die",
        "cat": "Katze",
        "dog": "Hund",
        "house": "Haus",
        "is": "ist",
        "and": "und",
        "water": "Wasser",
    },
    "italian": {
        "the": "il",
        "cat": "gatto",
        "dog": "cane",
        "house": "casa",
        "is": "è",
        "and": "e",
        "water": "acqua",
    },
    "japanese": {"cat": "猫", "dog": "犬", "house": "家", "water": "水"},
}

# Any word of the key in the question picks the snippet; the first match wins.
SNIPPETS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("fibonacci",),
        "def fibonacci(n: int) -> int:\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a",
        "It keeps the last two numbers, so it takes linear time and constant memory.",
    ),
    (
        ("reverse", "reverses"),
        "def reverse_string(text: str) -> str:\n    return text[::-1]",
        "A slice with a step of -1 walks the string backwards.",
    ),
    (
        ("prime", "primes", "is_prime"),
        "def is_prime(n: int) -> bool:\n    if n < 2:\n        return False\n    divisor = 2\n    while divisor * divisor <= n:\n"
        "        if n % divisor == 0:\n            return False\n        divisor += 1\n    return True",
        "Only divisors up to the square root need a look.",
    ),
    (
        ("sort", "sorts", "sorting", "sorted"),
        "def sort_numbers(numbers: list[int]) -> list[int]:\n    if len(numbers) <= 1:\n        return numbers\n"
        "    pivot, *rest = numbers\n    lower = [x for x in rest if x < pivot]\n    higher = [x for x in rest if x >= pivot]\n"
        "    return [*sort_numbers(lower), pivot, *sort_numbers(higher)]",
        "This is quicksort; in production, prefer the built-in `sorted`.",
    ),
    (
        ("factorial",),
        "def factorial(n: int) -> int:\n    result = 1\n    for i in range(2, n + 1):\n        result *= i\n    return result",
        "The empty product makes `factorial(0)` equal to 1.",
    ),
    (
        ("palindrome", "palindromes"),
        "def is_palindrome(text: str) -> bool:\n    letters = [c.lower() for c in text if c.isalnum()]\n    return letters == letters[::-1]",
        "Case, spaces and punctuation do not count.",
    ),
    (
        ("fizzbuzz",),
        "def fizzbuzz(n: int) -> list[str]:\n    def word(i: int) -> str:\n"
        '        return "Fizz" * (i % 3 == 0) + "Buzz" * (i % 5 == 0) or str(i)\n\n    return [word(i) for i in range(1, n + 1)]',
        "Multiplying a string by a boolean keeps or drops it.",
    ),
    (
        ("duplicates", "deduplicate", "unique"),
        "def unique(items: list[str]) -> list[str]:\n    return list(dict.fromkeys(items))",
        "Dictionaries keep insertion order, so the first occurrence of each item stays.",
    ),
    (
        ("count", "frequency", "vowels", "words"),
        "from collections import Counter\n\n\ndef count_words(text: str) -> Counter[str]:\n    return Counter(text.lower().split())",
        "`Counter.most_common` gives the most frequent words first.",
    ),
    (
        ("sum", "add", "total"),
        "def total(numbers: list[float]) -> float:\n    result = 0.0\n    for number in numbers:\n        result += number\n    return result",
        "The built-in `sum` does the same.",
    ),
)

POSITIVE = frozenset(
    "love loved great excellent amazing wonderful good happy fantastic perfect best enjoy enjoyed pleased delighted brilliant superb nice".split()
)
NEGATIVE = frozenset(
    "hate hated terrible awful bad worst poor broken sad angry disappointing disappointed horrible useless slow rude waste refund".split()
)

LISTS: dict[str, tuple[str, ...]] = {
    "fruit": ("Apple", "Banana", "Orange", "Mango", "Pear", "Grape", "Cherry", "Peach", "Kiwi", "Plum"),
    "color": ("Red", "Blue", "Green", "Yellow", "Orange", "Purple", "Black", "White", "Brown", "Pink"),
    "colour": ("Red", "Blue", "Green", "Yellow", "Orange", "Purple", "Black", "White", "Brown", "Pink"),
    "planet": ("Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"),
    "animal": ("Cat", "Dog", "Horse", "Elephant", "Eagle", "Dolphin", "Fox", "Bear", "Owl", "Rabbit"),
    "city": ("London", "Paris", "Tokyo", "New York", "Cairo", "Sydney", "Lagos", "Lima", "Delhi", "Oslo"),
    "cities": ("London", "Paris", "Tokyo", "New York", "Cairo", "Sydney", "Lagos", "Lima", "Delhi", "Oslo"),
    "language": ("Python", "Rust", "Go", "Java", "C", "TypeScript", "Ruby", "Haskell", "Erlang", "Swift"),
    "countries": ("France", "Japan", "Kenya", "Peru", "Norway", "India", "Canada", "Egypt", "Chile", "Italy"),
    "country": ("France", "Japan", "Kenya", "Peru", "Norway", "India", "Canada", "Egypt", "Chile", "Italy"),
}

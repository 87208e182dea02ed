"""Money as integers.

Amounts are nano-dollars (1 USD = 1_000_000_000), so that sums are exact and a ledger can conserve. Rates are
pico-dollars a token, because the field quotes USD per million tokens and $0.0375/M is 37,500 pico-dollars: every
published price is a whole number of them. An amount is rounded once, half up, after all its classes were added.

A `None` rate means that no price is known for that class; a usage that needs it is *priced unknown*, which is
a different thing from free.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from turnout.core.events import Usage

NANO_PER_USD = 1_000_000_000
USD_MAX = 1_000_000_000  # what fits a 64-bit column of nano-dollars, with room to add
_MS_PER_HOUR = 3_600_000
PICO_PER_USD = 1_000_000_000_000
PICO_PER_USD_PER_MTOK = 1_000_000  # 1 USD per million tokens = 1e-6 USD a token = 1e6 pico-dollars a token


class MediaRates(Struct, frozen=True, gc=False):
    """Pico-dollars for what few models are sold by: a token of an image, a character of text to speak, an hour of sound to hear."""

    input_image: int | None = None
    output_image: int | None = None
    character: int = 0
    audio_hour: int = 0


class Rates(Struct, frozen=True, gc=False):
    """Pico-dollars a token, by class. A class without its own rate falls back as `cost_nano` documents."""

    input: int
    output: int
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    input_audio: int | None = None
    output_audio: int | None = None
    media: MediaRates | None = None


class Step(Struct, frozen=True, gc=False):
    """Rates that hold for the whole request when its prompt has more than `prompt_tokens_over` tokens."""

    prompt_tokens_over: int
    rates: Rates


class Price(Struct, frozen=True):
    """A model's price: base rates, long-context steps in rising order, and where it comes from.

    `request_pico` is pico-dollars a request, `web_search_pico` a web search that the provider made while answering.
    """

    rates: Rates
    steps: tuple[Step, ...] = ()
    source: str = "config"
    request_pico: int = 0
    web_search_pico: int = 0

    def rates_for(self, prompt_tokens: int) -> Rates:
        rates = self.rates
        for step in self.steps:
            if prompt_tokens > step.prompt_tokens_over:
                rates = step.rates
        return rates


def usd_per_mtok(value: Decimal | str | int) -> int:
    """USD per million tokens → pico-dollars a token, exactly. Raises `ValueError` on a negative or finer amount."""
    pico = Decimal(value) * PICO_PER_USD_PER_MTOK
    if pico < 0 or pico != pico.to_integral_value():
        raise ValueError(f"a price must be a whole number of pico-dollars a token: {value}")
    return int(pico)


def cost_nano(usage: Usage, price: Price) -> int:
    """What `usage` costs, in nano-dollars.

    Cache reads without a rate of their own cost the input rate; writes likewise; a one-hour write without its
    own rate costs the five-minute one. Reasoning is inside `output` and costs the output rate. Providers count audio that
    was read from a cache as audio too; it costs the cache's rate, so no more audio than `input` has costs the audio rate. The
    same holds for images.
    """
    rates = price.rates if not price.steps else price.rates_for(usage.prompt)
    pico = usage.input * rates.input + usage.output * rates.output + price.request_pico
    if usage.cache_read:
        pico += usage.cache_read * (rates.input if rates.cache_read is None else rates.cache_read)
    if usage.cache_write_5m or usage.cache_write_1h:
        short = rates.input if rates.cache_write_5m is None else rates.cache_write_5m
        long = short if rates.cache_write_1h is None else rates.cache_write_1h
        pico += usage.cache_write_5m * short + usage.cache_write_1h * long
    if usage.input_audio and rates.input_audio is not None:
        pico += min(usage.input_audio, usage.input) * (rates.input_audio - rates.input)
    if usage.output_audio and rates.output_audio is not None:
        pico += min(usage.output_audio, usage.output) * (rates.output_audio - rates.output)
    if usage.web_searches:
        pico += usage.web_searches * price.web_search_pico
    if rates.media is not None:
        pico += _media_pico(usage, rates, rates.media)
    return (pico + 500) // 1000


def _media_pico(usage: Usage, rates: Rates, media: MediaRates) -> int:
    pico = usage.characters * media.character + usage.audio_ms * media.audio_hour // _MS_PER_HOUR
    if media.input_image is not None:
        pico += min(usage.input_image, usage.input) * (media.input_image - rates.input)
    if media.output_image is not None:
        pico += min(usage.output_image, usage.output) * (media.output_image - rates.output)
    return pico


def counted_cost_nano(usage: Usage, price: Price) -> int | None:
    """As `cost_nano`, if everything that the model is sold by was counted; `None` if not: that is unknown, not free."""
    rates = price.rates
    media = rates.media
    if (rates.input or rates.output) and not (usage.prompt or usage.output):
        return None
    if media is not None and (media.character and not usage.characters):
        return None
    if media is not None and (media.audio_hour and not usage.audio_ms):
        return None
    return cost_nano(usage, price)


def usd_to_nano(value: Decimal | str) -> int:
    """USD → nano-dollars, half up. Raises `ValueError` on a negative, infinite or unreadable amount."""
    try:
        amount = Decimal(value)
    except ArithmeticError as error:
        raise ValueError(f"not an amount of money: {value!r}") from error
    if not amount.is_finite() or not 0 <= amount <= USD_MAX:
        raise ValueError(f"not an amount of money: {value!r}")
    return int((amount * NANO_PER_USD + Decimal("0.5")) // 1)


def format_usd(nano: int) -> str:
    """Nano-dollars as a plain decimal of USD, without an exponent and without trailing zeros: `0.00021`."""
    sign, nano = ("-", -nano) if nano < 0 else ("", nano)
    whole, rest = divmod(nano, NANO_PER_USD)
    text = f"{rest:09d}".rstrip("0")
    return f"{sign}{whole}.{text}" if text else f"{sign}{whole}"

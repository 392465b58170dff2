"""Amounts and verdicts as the table and the last line of a run tell them."""

from __future__ import annotations

from flowcage.host.outcome.verdict import Verdict

# Of verdicts that a person reads as another word; `flowcage ls` has this one, too.
_WORDS = {Verdict.COMPLETED.value: "done", Verdict.HOST_SHUTDOWN.value: "interrupted"}
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def tokens(count: int) -> str:
    """A count in a few characters, such as 12.3k."""
    for size, unit in _UNITS:
        if count >= 0.99995 * size:
            shown = count / size
            return f"{shown:.0f}{unit}" if shown >= 999.5 else f"{shown:.1f}{unit}"
    return str(count)


def dollars(cost_usd: float, is_partly_known: bool = False) -> str:
    """US dollars; "" for nothing, and a question mark where not all is known."""
    if is_partly_known:
        return f"{dollars(cost_usd)}+?" if cost_usd else "$?"
    if not cost_usd:
        return ""
    return f"${cost_usd:,.2f}" if cost_usd >= 0.00995 else f"${cost_usd:.4f}"


def clock(seconds: float) -> str:
    """Minutes and seconds, and hours or days where there are any."""
    minutes, rest = divmod(int(max(0.0, min(seconds, 1e9))), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02}h"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def seconds_text(seconds: float) -> str:
    """A length of time as a sentence has it: 5.7 s, or 12 min 3 s."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def word_of(verdict: str) -> str:
    """How a run ended, in a word."""
    return _WORDS.get(verdict, verdict)

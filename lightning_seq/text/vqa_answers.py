"""Answers as the evaluation of VQA compares them."""

from __future__ import annotations

import re

_NUMBERS = "zero one two three four five six seven eight nine ten"
_DIGITS = {"none": "0", **{word: str(number) for number, word in enumerate(_NUMBERS.split())}}
_ARTICLES = ("a", "an", "the")
_PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_CONTRACTED = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's
how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock
oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd
someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's
they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's
where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've
y'all y'all'll y'all'd've you'd you'd've you'll you're you've
"""
_WHOLE = {
    word[:place] + word[place + 1 :]: word
    for word in _CONTRACTED.split()
    for place, letter in enumerate(word)
    if letter == "'"
}  # fmt: skip
"""Contractions by their spellings with one apostrophe left out."""
_COMMA, _PERIOD = re.compile(r"\d,\d"), re.compile(r"\.(?!\d)")


def normalise_answer(text: str) -> str:
    """An answer in the form of VQA's evaluation (Antol et al. 2015, sec. 3): without punctuation, in small letters,
    numbers up to ten as digits, without articles, with the apostrophes of contractions.

    A mark of punctuation is left out next to a space, and in texts with a comma between digits; elsewhere it becomes a
    space. A full stop is left out unless a digit follows. An answer of which nothing is left, such as `the`, stays.
    """
    kept = text = text.replace("\n", " ").replace("\t", " ").strip()
    for mark in _PUNCTUATION:
        next_to_space = f"{mark} " in text or f" {mark}" in text or _COMMA.search(text)
        kept = kept.replace(mark, "" if next_to_space else " ")
    words = (_DIGITS.get(word, word) for word in _PERIOD.sub("", kept).lower().split())
    return " ".join(_WHOLE.get(word, word) for word in words if word not in _ARTICLES) or text.lower()

"""Configurations that version 0.1 wrote: the arguments of a source of data were keys of `data` itself."""

from __future__ import annotations

from collections.abc import Mapping

from lightning_seq.files import Plain

_ROOM = "lightning_seq.data"
_SOURCES = f"{_ROOM}.sources"

OF_MODULES = frozenset((
    "_target_", "licence", "level", "target_level", "subword", "target_subword", "lower", "normalise", "digits",
    "replace", "eos", "blank_lines", "min_count", "max_vocabulary", "joint_vocabulary", "max_word_length", "max_length",
    "max_target_length", "source_eos", "scheme", "repair", "unseen_tags", "bare", "layout", "chunk_length",
    "backward_length", "random_chunks", "eval_chunk_length", "batch_size", "eval_batch_size", "num_workers",
))  # fmt: skip
"""The keys of `data` that are arguments of a DataModule; every other one went to the source."""

_CLASSES = {
    "ClassificationData": {
        "verses_genre": "embedded.VersesGenre", "word_order": "word_order.WordOrder",
        "agreement": "agreement.Agreement", "hub": "public.LabelledTexts",
        "csv": "files.Files", "tsv": "files.Files", "jsonl": "files.Files", "text": "files.Files",
    },
    "TaggingData": {
        "verses_punctuation": "verses_punctuation.VersesPunctuation", "look_ahead": "look_ahead.LookAhead",
        "copy_memory": "copy_memory.CopyMemory", "hub": "public.TaggedSentences",
        "conllu": "tagged_files.TaggedFiles", "conll": "tagged_files.TaggedFiles",
    },
    "LanguageModellingData": {
        "verses": "embedded_text.VersesText", "hello": "embedded_text.Hello", "python_docs": "python_docs.PythonDocs",
        "text": "text_files.TextFiles", "ptb": "text_files.PennTreebank", "hub": "public.RunningText",
    },
    "SequenceToSequenceData": {
        "verses_modernise": "verses_modernise.VersesModernise", "dates": "dates.Dates",
        "copy": "symbol_pairs.SymbolPairs", "reverse": "symbol_pairs.SymbolPairs",
        "reordering": "reordering.Reordering", "pairs": "parallel_files.ParallelFiles", "hub": "public.ParallelTexts",
    },
    "MemoryProblemData": {
        "adding": "adding.Adding", "bits_1": "bits.BitProblem", "bits_2": "bits.BitProblem",
        "bits_3": "bits.BitProblem", "bits_4": "bits.BitProblem", "bits_parity": "bits.BitProblem",
    },
}  # fmt: skip
"""The class of each source, by the class of the data and the name that the source had."""

_NAMED = {
    "files.Files": "kind",
    "tagged_files.TaggedFiles": "kind",
    "symbol_pairs.SymbolPairs": "order",
    "bits.BitProblem": "problem",
}
"""Classes that take the name of the source as an argument."""


def modern(config: Mapping[str, Plain]) -> dict[str, Plain]:
    """The configuration in today's form; unchanged if its source is a node, or its data are a class of the user."""
    data = config.get("data")
    if not isinstance(data, dict) or not isinstance(name := data.get("source"), str):
        return dict(config)
    target = str(data.get("_target_"))
    last = target.rpartition(".")[2]
    if last == "SequencesOfSetsData":
        path, argument = "piano_rolls.PianoRolls", "name"
    else:
        path = _CLASSES.get(last, {}).get(name, "")
        argument = _NAMED.get(path, "")
    if not target.startswith(f"{_ROOM}.") or not path:
        return dict(config)
    source = {"_target_": f"{_SOURCES}.{path}"} | ({argument: name} if argument else {})
    source |= {key: value for key, value in data.items() if key not in OF_MODULES and key != "source"}
    kept = {key: value for key, value in data.items() if key in OF_MODULES}
    return {**config, "data": {**kept, "source": source}}

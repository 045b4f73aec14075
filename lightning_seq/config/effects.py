"""Keys that have no effect in a configuration, such as dropout between layers of a model with one layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lightning_seq.config.tree import Config
from lightning_seq.config.words import Word
from lightning_seq.errors import UserError
from lightning_seq.identity import value_at

REFUSED = ("model", "cell", "init", "attention", "task", "match", "tune")
"""Groups in which a key without an effect in any entry is an error; in other groups it is a note."""

UNSET: tuple[object, ...] = (None, False, 0, 0.0, "none", "identity", "null", [], {})
"""Values that switch something off, which need no note."""

SHORT_MEMORY = ("ElmanCell", "JordanCell", "ExternalCell")
"""Cells without a gate that keeps the old state."""

Condition: TypeAlias = Callable[[Config], object]


@dataclass(frozen=True)
class Rule:
    """keys: have an effect only if `acts` is true. why: the reason, and what they need."""

    keys: tuple[str, ...]
    acts: Condition
    why: str


def layers(model: Config) -> int:
    """Of the encoder, as `models/recurrent.py` counts them."""
    size = model.get("hidden_size")
    return len(size) if isinstance(size, list) else model.get("num_layers") or 1


def _has_cells(config: Config) -> bool:
    return "engine" in config["model"] or not str(config["model"]["_target_"]).startswith("lightning_seq.")


def _between(config: Config) -> bool:
    return layers(config["model"]) > 1 or "model_size" in config["model"]


def _locks(config: Config) -> bool:
    model = config["model"]
    return any([model.get("input_dropout"), model.get("output_dropout"), model.get("dropout") and _between(config)])


def _keeps(config: Config) -> bool:
    return _has_cells(config) and str(config["cell"].get("_target_")).rpartition(".")[2] not in SHORT_MEMORY


def _carries(config: Config) -> bool:
    return _has_cells(config) and not config["model"].get("bidirectional") and _columns(config)


def _joins(config: Config) -> bool:
    """Whether question, history and picture are joined in vectors of `task.width`."""
    fusion, history, answers = (config["task"].get(key) for key in ("fusion", "history", "answers"))
    joint = fusion != "picture" and (history or "none") != "none"
    return fusion not in ("question", "picture", "concat") or joint or answers == "written"


def _learns(config: Config) -> bool:
    """Whether the model is a network, not a rule such as the last value."""
    return not str(config["model"]["_target_"]).startswith("lightning_seq.models.naive.")


def _decodes(config: Config) -> bool:
    return _learns(config) and config["task"].get("strategy") == "seq2seq"


def _columns(config: Config) -> bool:
    return bool(config["data"].get("layout", "columns") == "columns")


def _is_cut(split: str) -> Condition:
    """Whether the split is cut from train: neither a file nor a split of the Hub is given for it."""
    return lambda config: not value_at(config, f"data.{split}") and not value_at(config, f"data.splits.{split}")


def _is(key: str, *values: object) -> Condition:
    return lambda config: value_at(config, key) in values


def _not(key: str, *values: object) -> Condition:
    return lambda config: value_at(config, key) not in values


def _set(key: str) -> Condition:
    return _not(key, None, False, "none", "")


OF_VECTORS = (
    "vector_size", "window", "architecture", "max_vocabulary", "min_count", "negative", "hierarchical_softmax",
    "subsampling", "epochs", "learning_rate", "workers",
)  # fmt: skip
NO_VECTORS = "no vectors are trained: use embedding=word2vec"

RULES = (
    Rule(("model.dropout",), _between, "it acts between layers: give model.num_layers=2 or more, or for what one layer "
         "gives model.output_dropout or task.dropout"),
    Rule(("model.activation",), lambda config: layers(config["model"]) > 1 or not _has_cells(config),
         "it acts between layers: give model.num_layers=2 or more"),
    Rule(("model.residual",), _between, "it adds a layer's input from the second layer on: give model.num_layers=2"),
    Rule(("model.locked",), _locks, "it draws the masks of model.input_dropout, model.dropout between layers and "
         "model.output_dropout, and none is set"),
    Rule(("model.between",),
         lambda config: max(layers(config["model"]), config["model"].get("decoder_layers") or 1) > 1,
         "it acts between layers: give model.num_layers=2 or model.decoder_layers=2"),
    Rule(("model.style",), lambda config: config["model"].get("attend"), "it says when a decoder attends: use "
         "model=encoder_decoder_attention or captioner_attention"),
    Rule(("model.window",), _not("model.local", "none"),
         "it is of local attention: give model.local=monotonic or predictive"),
    Rule(("cell.*", "init", "init.*"), lambda config: _has_cells(config) or _decodes(config),
         "this model has no recurrent cell"),
    Rule(("task.strategy", "task.output", "task.loss", "task.instance_norm", "task.head_sizes", "task.dropout",
          "task.samples"), _learns, "this model is a rule, which learns the spread of its errors alone"),
    Rule(("task.loss",),
         lambda config: config["choices"]["task"] != "forecasting" or config["task"].get("output") == "point",
         "it is of task.output=point"),
    Rule(("task.samples",),
         lambda config: _is("task.strategy", "recursive")(config) and _not("task.output", "point")(config),
         "paths are drawn from a distribution step by step: use task.strategy=recursive and another task.output"),
    Rule(("task.decoder_size", "task.attention"), _decodes, "it is of a decoder: use task.strategy=seq2seq"),
    Rule(("init.scale",), _not("init.recurrent", "uniform"),
         "it scales orthogonal and identity matrices: give init.recurrent=orthogonal"),
    Rule(("init.forget_bias", "init.chrono"), _keeps, "this cell has no gate that keeps the old state"),
    Rule(("init.forget_bias", "init.chrono", "cell.forget_bias"),
         lambda config: config["cell"].get("bias") is not False, "with cell.bias=false no gate has a bias"),
    Rule(("cell.forget_bias",),
         lambda config: config["cell"].get("forget_gate", True) and not config["cell"].get("coupled"),
         "this cell has no separate forget gate"),
    Rule(("task.width",), _joins,
         "it is of vectors that join both sides"),
    Rule(("task.hops",), _is("task.fusion", "stacked_attention", "film"),
         "it is of task.fusion=stacked_attention or film"),
    Rule(("task.history",), _not("task.fusion", "picture"), "task.fusion=picture sees the picture alone"),
    Rule(("task.answer_length",), _is("task.answers", "written"), "it is of task.answers=written"),
    Rule(("task.picture", "task.picture.*", "data.features", "data.features.*"), _not("task.fusion", "question"),
         "task.fusion=question sees no picture"),
    Rule(("model.picture", "model.picture.*", "task.picture", "task.picture.*"),
         lambda config: not config["data"].get("features"), "the pictures are read as data.features"),
    Rule(("data.features_precision",), _set("data.features"), "no features are kept: give data.features=NAME"),
    Rule(("task.tolerance",), _not("data._target_", "lightning_seq.data.vectors.VectorData"),
         "it is of memory problems, such as data=adding"),
    Rule(("data.coordinates",), _not("data.centre", "none"), "no points are centred: give data.centre=step or first"),
    Rule(("data.test_windows",), _set("data.window"), "an example is a sequence: give data.window=N"),
    Rule(("task.ranking.*",), _is("task.loss", "ranking"), "it is of task.loss=ranking"),
    Rule(("task.character_embedding", "task.character_size", "task.character_width"), _set("task.characters"),
         "nothing reads characters: give task.characters=cnn or lstm"),
    Rule(("task.character_width",), _is("task.characters", "cnn"), "it is of task.characters=cnn"),
    Rule(("task.constraints",), _set("task.crf"), "it acts on the paths of a CRF: set task.crf=true"),
    Rule(("task.intent_weight",), _set("data.intent_column"), "these data have no classes of whole sentences"),
    Rule(("task.locked",), _set("task.dropout"), "it draws the masks of task.dropout, which is 0"),
    Rule(("task.teacher_forcing.least", "task.teacher_forcing.steps"),
         _is("task.teacher_forcing.kind", "linear", "inverse_sigmoid"),
         "it is of a share that falls: give task.teacher_forcing.kind=linear or inverse_sigmoid"),
    Rule(("task.length_penalty", "task.early_stop", "task.beam_coverage"),
         _not("task.beam", 1), "it ranks the hypotheses of a beam, and task.beam is 1"),
    Rule(("task.beam_coverage", "task.coverage_penalty"), _set("model.attend"),
         "it is of attention: use model=encoder_decoder_attention or captioner_attention"),
    Rule(("task.reinforce.*",), _set("model.hard"), "it is of hard attention: give model.hard=true"),
    Rule(("task.symbol_size", "task.ctc_weight"), _set("model.attend"), "it is of attention: use "
         "model=listen_attend_spell"),
    Rule(("task.ngram.*",), lambda config: not config["model"].get("attend"),
         "a language model takes part in the search of CTC: use an encoder such as model=bilstm"),
    Rule(("task.ngram.weight", "task.ngram.bonus"), _not("task.ngram.order", 0), "there is no n-gram: give "
         "task.ngram.order=2"),
    Rule(("task.blank_bias",), lambda config: not config["model"].get("attend") or value_at(config, "task.ctc_weight"),
         "it is of CTC: give task.ctc_weight"),
    Rule(("data.augment.time_width", "data.augment.time_share"), _not("data.augment.time_masks", 0),
         "there are no masks: give data.augment.time_masks=2"),
    Rule(("data.augment.frequency_width",), _not("data.augment.frequency_masks", 0),
         "there are no masks: give data.augment.frequency_masks=2"),
    Rule(("data.front_end.cepstra",), _is("data.front_end.kind", "mfcc"), "it is of data.front_end.kind=mfcc"),
    Rule(("task.schedule.factor",), _is("task.schedule.kind", "plateau", "decay"),
         "it multiplies the rate with task.schedule.kind=plateau or decay"),
    Rule(("task.schedule.patience",), _is("task.schedule.kind", "plateau"), "it is of task.schedule.kind=plateau"),
    Rule(("task.schedule.hold_epochs",), _is("task.schedule.kind", "decay"), "it is of task.schedule.kind=decay"),
    Rule(("task.carry", "task.evaluation"), _carries,
         "no state is carried: that needs a recurrent model of one direction and data.layout=columns"),
    Rule(("match.count",), _not("match.kind", "none"), "nothing is matched: give match=…"),
    Rule(("tune.seed", "tune.space", "tune.space.*"), _set("tune.trials"), "nothing is tuned: give tune=N trials"),
    Rule(("max_seeds",), _is("seeds", "auto"), "it is the limit of seeds=auto"),
    Rule(("embedding.size", "embedding.frozen"), _not("embedding.kind", "none", "onehot"),
         "these inputs have no table of vectors"),
    Rule(("embedding.target_path",), _is("choices.task", "sequence_to_sequence"), "these data have no target side"),
    Rule(("word2vec.seed",), _is("embedding.kind", "word2vec", "file"), NO_VECTORS),
    Rule(tuple(f"word2vec.{key}" for key in OF_VECTORS), _is("embedding.kind", "word2vec"), NO_VECTORS),
    Rule(("data.subword.*", "data.target_subword.*", "data.target_subword"),
         lambda config: "subword" in (config["data"].get("level"), config["data"].get("target_level")),
         "nothing is cut into subwords: give data.level=subword"),
    Rule(("data.chunk_length", "data.backward_length", "data.eval_chunk_length", "data.random_chunks"), _columns,
         "the text is read line by line: it is of data.layout=columns"),
    Rule(("data.max_tokens",), _not("data.layout", "columns"), "batches are columns of the text: it is of "
         "data.layout=sequences"),
    Rule(("data.validation_fraction",), _is_cut("validation"), "there is a validation split already"),
    Rule(("data.test_fraction",), _is_cut("test"), "there is a test split already"),
    Rule(("data.hub.*",), lambda config: not value_at(config, "data.mirror"), "the data come from data.mirror"),
    Rule(("data.mirror_path", "data.mirror_config"), _set("data.mirror"), "there is no mirror: give data.mirror=DIR"),
    Rule(("data.repair",), _not("data.scheme", "none"), "it is of tags that mark spans"),
    Rule(("callbacks.finite_guard.times",), _is("callbacks.finite_guard.policy", "skip", "halve"),
         "it counts what callbacks.finite_guard.policy=skip or halve forgives"),
    Rule(("callbacks.keep_optimizer", "callbacks.checkpoint_every_n_steps", "callbacks.checkpoint_every_minutes"),
         _set("callbacks.checkpoint"), "no checkpoint is written: give callbacks.checkpoint=true"),
    Rule(("callbacks.probe_rows",),
         lambda config: any(config["callbacks"].get(name) for name in ("gradient_flow", "gates", "states",
                                                                      "deciding_words")),
         "nothing looks inside: use callbacks=inside"),
    Rule(("trainer.timeout", "trainer.sync_batchnorm"), lambda config: not (_is("trainer.devices", 1, "1", [0])(config)
                                                   and _is("trainer.num_nodes", 1)(config)),
         "one process has no other to wait for or to agree with"),
    Rule(("evaluate", "output"), lambda config: False, "it is for the verb word2vec"),
)  # fmt: skip
"""The condition under which each key has an effect. Keys without a rule have one everywhere, or are refused."""


def idle(config: Config, key: str) -> str | None:
    """Why `key` has no effect in this configuration; None if it has one."""
    for rule in RULES:
        matches = any(key == name or (name.endswith(".*") and key.startswith(name[:-1])) for name in rule.keys)
        if matches and not rule.acts(config):
            return rule.why
    return None


def check_effects(labels: Sequence[str], configs: Sequence[Config], typed: Sequence[Word]) -> list[str]:
    """A note for each typed key that has no effect in some entries.

    Raises UserError for a key of a group of `REFUSED` that has no effect in any entry.
    """
    notes = []
    for word in typed:
        reasons = {
            label: why for label, config in zip(labels, configs, strict=True) if (why := _idle_word(config, word))
        }
        if not reasons:
            continue
        why = next(iter(reasons.values()))
        if len(reasons) < len(configs):
            notes.append(f"{word.text} changes nothing in {', '.join(reasons)}: {why}")
        elif word.key.partition(".")[0] in REFUSED:
            raise UserError(f"{word.text} changes nothing here: {why}; or leave it out")
        else:
            notes.append(f"{word.text} changes nothing here: {why}")
    return notes


def _idle_word(config: Config, word: Word) -> str | None:
    value = value_at(config, word.key)
    is_unset = any(type(value) is type(one) and value == one for one in UNSET)
    return None if is_unset and not word.key.startswith("cell.") else idle(config, word.key)

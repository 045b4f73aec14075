"""The likely meaning of an unknown key: `lr=0.1` is `optimizer.lr=0.1`."""

from __future__ import annotations

from collections.abc import Collection

USUAL = {
    "optimizer.lr": ("rate", "learning_rate", "eta"),
    "optimizer.weight_decay": ("wd", "decay", "l2"),
    "optimizer": ("optim", "optimiser"),
    "trainer.max_epochs": ("epochs", "epoch", "num_epochs", "n_epochs"),
    "trainer.max_steps": ("steps", "num_steps"),
    "trainer.gradient_clip_val": ("clip", "clipping", "gradient_clip", "grad_clip", "max_norm"),
    "trainer.accumulate_grad_batches": ("accumulate", "accumulation"),
    "trainer.devices": ("gpus", "device", "n_gpus"),
    "trainer.threads": ("cores", "cpus"),
    "model.hidden_size": ("hidden", "hidden_dim", "units", "rnn_size"),
    "model.model_size": ("hidden", "hidden_size", "d_model", "units"),
    "model.channels": ("hidden", "hidden_size", "filters"),
    "model.num_layers": ("layers", "n_layers", "depth"),
    "model.bidirectional": ("bi", "bidir"),
    "model": ("arch", "architecture", "network", "encoder"),
    "data.batch_size": ("batch", "bs"),
    "data.num_workers": ("workers",),
    "data.max_vocabulary": ("vocab", "vocabulary", "vocab_size", "vocabulary_size"),
    "data": ("dataset", "corpus"),
    "embedding.size": ("dim", "emb_size", "embedding_size", "embedding_dim", "emb_dim"),
    "embedding": ("embeddings", "emb"),
    "callbacks.early_stopping.patience": ("early_stopping_patience",),
    "task.beam": ("beam_size", "beams"),
    "seeds": ("n_seeds", "num_seeds"),
    "runs": ("output_dir", "out_dir", "log_dir"),
}
"""Keys, and their names in other programs."""

ORDER = ("optimizer", "model", "task", "trainer", "data", "embedding", "callbacks", "word2vec")
"""Groups, the one that is meant most often first."""
SHOWN = 4


def meant(key: str, known: Collection[str]) -> list[str]:
    """The keys of `known` that `key` may mean: by their last part, then by their names in other programs. For a key in
    an existing group (`model.hidden`), those of that group alone."""
    parent, _, last = key.rpartition(".")
    names = [last, *(name for name, others in USUAL.items() if last in others)]
    meanings = [name for name in names if name in known and name != key]
    if parent not in known:
        meanings = [name for name in known if name.count(".") and name.rpartition(".")[2] == last] + meanings
    elif parent:
        meanings = [name for name in meanings if name.rpartition(".")[0] == parent]
    rank = {group: number for number, group in enumerate(ORDER)}
    return sorted(dict.fromkeys(meanings), key=lambda name: (rank.get(name.partition(".")[0], len(rank)), name))[:SHOWN]

"""From a question and a picture to an answer."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional

from lightning_seq.errors import UserError, one_of
from lightning_seq.layers.dropout import Dropout, check_rate
from lightning_seq.models.encoder import Encoder, EncoderModel
from lightning_seq.models.head import head
from lightning_seq.models.picture.encoder import PictureEncoder
from lightning_seq.models.pooling import pooling as choose_pooling

FUSIONS = ("question", "picture", "concat", "multiply", "bilinear", "attention", "stacked_attention", "film")


class Answerer(EncoderModel):
    """Scores of answers `[B, C]` before the softmax.

    q is the pooled question, v_1 … v_S are the vectors of the places of the picture, v̄ is their mean; the head reads

        question           q: the blind baseline
        picture            v̄: the deaf baseline
        concat             [q ; v̄]
        multiply           tanh(W_q q) ∘ tanh(W_v v̄) (Antol et al. 2015, sec. 4)
        bilinear           u_m = tanh(W_q q)ᵀ A_m tanh(W_v v̄)
        attention          [q ; c], c the mean of the places under additive attention with the query q
        stacked_attention  u_k = u_{k-1} + c_k, u_0 = W_q q, c_k under attention with the query u_{k-1}, for `hops` of
                           them (Yang et al. 2016, eq. 15 to 22)
        film               the greatest over places of `hops` blocks x + relu((1 + γ(q)) ∘ conv(x) + β(q)) (Perez et
                           al. 2018, eq. 1 and 2)

    embedding: of the words of questions; encoder: of questions; pooling: see `Classifier`.
    outputs:   C.
    width:     of the joint vectors W_q q and W_v v.

    Raises UserError for values out of their range.
    """

    head_modules = ("pooling", "fusion", "head")

    def __init__(
        self,
        embedding: nn.Module,
        encoder: Encoder,
        outputs: int,
        picture: PictureEncoder,
        fusion: str = "stacked_attention",
        width: int = 128,
        hops: int = 2,
        pooling: str = "auto",
        head_sizes: tuple[int, ...] = (),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        one_of("task.fusion", fusion, FUSIONS)
        if width < 1 or hops < 1:
            raise UserError(f"task.width is {width} and task.hops {hops}: expected at least 1 each")
        dropout = check_rate("task.dropout", dropout)
        self.embedding, self.encoder, self.kind = embedding, encoder, fusion
        self.picture = None if fusion == "question" else picture
        self.pooling = choose_pooling(pooling, encoder)
        self.fusion = Fusion(fusion, self.pooling.width, picture, width, hops)
        self.head = head(self.fusion.output_size, head_sizes, outputs, dropout)
        self.dropout = Dropout(dropout)

    def forward(
        self,
        inputs: Int[Tensor, "B T"],
        mask: Bool[Tensor, "B T"],
        pictures: UInt8[Tensor, "B C H W"] | Float[Tensor, "B S F"],
    ) -> Float[Tensor, "B A"]:
        return self.head(self.joined(inputs, mask, pictures)[0])

    def joined(self, inputs: Tensor, mask: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
        """The vectors that the head reads, `[B, D]`, and the attention to the places, `[B, hops, S]` or None."""
        question = self.read(inputs, mask)
        return self.fusion(question, None if self.picture is None else self.picture(pictures))

    def read(self, inputs: Int[Tensor, "B T"], mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B Q"]:
        """The pooled questions."""
        x = self.embedding(inputs)
        if x.is_floating_point():
            x = self.dropout(x)
        return self.pooling(self.encoder(x, mask))

    def parts(self) -> dict[str, nn.Module]:
        """The encoder of pictures counts as part of the embedding: it is the same for every encoder of questions."""
        before = [part for part in (self.embedding, self.picture) if part is not None]
        return {**super().parts(), "embedding": nn.ModuleList(before)}


class Fusion(nn.Module):
    """Joins a question and the places of a picture; see `Answerer`. output_size: of the result."""

    def __init__(self, kind: str, question: int, picture: PictureEncoder, width: int, hops: int) -> None:
        super().__init__()
        self.kind, self.grid, places = kind, picture.grid, picture.output_size
        self.output_size = {
            "question": question, "picture": places, "concat": question + places, "attention": question + width,
        }.get(kind, width)  # fmt: skip
        joint = kind in ("multiply", "bilinear", "attention", "stacked_attention", "film")
        self.of_question = nn.Linear(question, width) if joint and kind != "film" else None
        self.of_places = nn.Linear(places, width) if joint else None
        self.bilinear = nn.Bilinear(width, width, width) if kind == "bilinear" else None
        glimpses = {"attention": 1, "stacked_attention": hops}.get(kind, 0)
        self.glimpses = nn.ModuleList(_Glimpse(width) for _ in range(glimpses))
        blocks = hops if kind == "film" else 0
        self.modulations = nn.ModuleList(nn.Linear(question, 2 * width) for _ in range(blocks))
        self.convolutions = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(blocks))

    def forward(self, q: Float[Tensor, "B Q"], v: Float[Tensor, "B S D"] | None) -> tuple[Tensor, Tensor | None]:
        if v is None:
            return q, None
        if self.kind == "picture":
            return v.mean(1), None
        if self.of_places is None:
            return torch.cat([q, v.mean(1)], 1), None
        if self.kind == "film":
            return self._film(q, self.of_places(v)), None
        if self.of_question is None:
            raise TypeError(f"the fusion {self.kind} has no projection of the question")
        if self.glimpses:
            u, keys, weights = self.of_question(q), self.of_places(v), []
            for glimpse in self.glimpses:
                context, weight = glimpse(u, keys)
                u = u + context if self.kind == "stacked_attention" else torch.cat([q, context], 1)
                weights.append(weight)
            return u, torch.stack(weights, 1)
        a, b = torch.tanh(self.of_question(q)), torch.tanh(self.of_places(v.mean(1)))
        return (a * b if self.bilinear is None else self.bilinear(a, b)), None

    def _film(self, q: Tensor, v: Tensor) -> Tensor:
        x = v.transpose(1, 2).unflatten(2, self.grid)
        for modulation, convolution in zip(self.modulations, self.convolutions, strict=True):
            gamma, beta = modulation(q)[:, :, None, None].chunk(2, 1)
            x = x + functional.relu((1 + gamma) * convolution(x) + beta)
        return x.flatten(2).amax(-1)


class _Glimpse(nn.Module):
    """p = softmax(w · tanh(W_v v_s + W_u u)), c = Σ_s p_s v_s (Yang et al. 2016, eq. 15 to 17)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.of_places, self.of_query = nn.Linear(width, width, bias=False), nn.Linear(width, width)
        self.score = nn.Linear(width, 1)

    def forward(self, u: Float[Tensor, "B W"], v: Float[Tensor, "B S W"]) -> tuple[Tensor, Tensor]:
        hidden = torch.tanh(self.of_places(v) + self.of_query(u)[:, None])
        weights = torch.softmax(self.score(hidden)[..., 0], -1)
        return (weights[..., None] * v).sum(1), weights

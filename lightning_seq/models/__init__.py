"""Plain `nn.Module`s: encoders, pooling, heads, and the models made of them."""

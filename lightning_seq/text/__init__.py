"""From text to ids: tokenise, vocabulary, padding."""

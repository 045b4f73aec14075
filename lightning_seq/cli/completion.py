"""Tab completion for bash and zsh, made from the verbs, groups and keys."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_seq.cli.help import keys_of
from lightning_seq.cli.verbs import VERBS
from lightning_seq.config.groups import groups
from lightning_seq.errors import UserError, near

SHELLS = ("bash", "zsh")


def script(shells: Sequence[str]) -> str:
    """The script for a shell. Raises UserError for an unknown shell, and for several."""
    if len(shells) > 1:
        raise UserError(f"completion takes one shell, {' '.join(shells)} came: lightning-seq completion {shells[0]}")
    shell = shells[0] if shells else ""
    if shell not in SHELLS:
        raise UserError(f"completion is for a shell: {near(shell, SHELLS)} (lightning-seq completion bash)")
    cases = [f"    help) words='{' '.join(VERBS)}' ;;"]
    for verb, entry in VERBS.items():
        words = [f"{key}=" for key in keys_of(entry)]
        words += [f"{group}={choice}" for group in entry.groups for choice in groups()[group]]
        cases.append(f"    {verb}) words='{' '.join([*words, '--help'])}' ;;")
    body = "\n".join(cases)
    lines = f"""_lightning_seq() {{
  local words cur="${{COMP_LINE:0:COMP_POINT}}"
  cur="${{cur##* }}"
  if [ "$COMP_CWORD" -le 1 ]; then
    COMPREPLY=($(compgen -W '{" ".join(VERBS)} help --help --list --version' -- "$cur"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{body}
    *) words='' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [ "${{#COMPREPLY[@]}}" -eq 0 ]; then
    COMPREPLY=($(compgen -f -- "${{cur#*=}}"))
  elif [[ "$cur" == *=* ]]; then
    COMPREPLY=("${{COMPREPLY[@]#*=}}")
  fi
  [[ "${{COMPREPLY[0]}}" == *= ]] && compopt -o nospace 2>/dev/null
}}
complete -F _lightning_seq lightning-seq"""
    return lines if shell == "bash" else "autoload -U +X bashcompinit && bashcompinit\n" + lines

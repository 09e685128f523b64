"""Trained models, how they did, and which of them have a role.

Models are numbered per tenant and never change. A role (`Alias`) names one model; its revision counts up with every
change, and each change is an entry in a history that is only ever added to:

    add_model ----> candidate                      every training's model, by itself
    promote ------> candidate | production         production: unless the quality gate refuses, see `gate`
    rollback -----> the model before, and again the one before that
"""

from asl.infra.registry.gate import Verdict, judge
from asl.infra.registry.models import add_evaluation, add_model, find, list_models, resolve, to_contract
from asl.infra.registry.promotion import promote, rollback
from asl.infra.registry.roles import history, model_in_role, state, states

__all__ = [
    "Verdict",
    "add_evaluation",
    "add_model",
    "find",
    "history",
    "judge",
    "list_models",
    "model_in_role",
    "promote",
    "resolve",
    "rollback",
    "state",
    "states",
    "to_contract",
]

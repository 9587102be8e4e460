"""The models on offer, from the entries of their engines."""

from __future__ import annotations

from sgv_demo.engines import ENGINES
from sgv_demo.engines.entry import Model as Model
from sgv_demo.engines.sharecaptioner import MODEL as SHARECAPTIONER
from sgv_demo.engines.sharegpt4video import MODEL as SHAREGPT4VIDEO
from sgv_demo.engines.smolvlm import ENGINE as _SMOLVLM
from sgv_demo.engines.smolvlm import SMOL_2B as SMOL_2B
from sgv_demo.engines.smolvlm import SMOL_256M as SMOL_256M
from sgv_demo.engines.smolvlm import SMOL_500M as SMOL_500M

CAPTIONER_MODEL = SHARECAPTIONER.hub_id
ANSWERER_MODEL = SHAREGPT4VIDEO.hub_id
SMOL = _SMOLVLM.models
OFFICIAL = (SHARECAPTIONER, SHAREGPT4VIDEO)
MODELS = tuple(model for engine in ENGINES.values() for model in engine.models)

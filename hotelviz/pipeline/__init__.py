"""From a table or a folder of photos to the index of its reports, in one go that can be stopped."""

from hotelviz.pipeline.execution import Outcome, run_steps
from hotelviz.pipeline.facts import Facts
from hotelviz.pipeline.plan import Plan, plan, weights_available
from hotelviz.pipeline.run import run
from hotelviz.pipeline.step import Step

__all__ = ["Facts", "Outcome", "Plan", "Step", "plan", "run", "run_steps", "weights_available"]

"""Measures of faithfulness: does a map show what the model's score depends on? They run the model on changed images."""

from wsseg.faithfulness.average_drop import AverageDrop
from wsseg.faithfulness.insertion_deletion import InsertionDeletion
from wsseg.faithfulness.parameter_randomisation import ParameterRandomisation
from wsseg.faithfulness.road import Road
from wsseg.faithfulness.scorer import Scorer

__all__ = ["AverageDrop", "InsertionDeletion", "ParameterRandomisation", "Road", "Scorer"]

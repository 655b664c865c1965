"""Does a map show what the model's score rests on? Measures that ask the model again."""

from wsseg.faithfulness.average_drop import AverageDrop
from wsseg.faithfulness.insertion_deletion import InsertionDeletion
from wsseg.faithfulness.parameter_randomisation import ParameterRandomisation
from wsseg.faithfulness.road import Road
from wsseg.faithfulness.scorer import Scorer

__all__ = ["AverageDrop", "InsertionDeletion", "ParameterRandomisation", "Road", "Scorer"]

"""hotelviz: analyse and interpret the image models of a hotel price comparison.

The modules follow the data, one step each::

    catalog -> training -> scoring -> metrics -> plots / gallery -> reports -> cli
       |        ^    |                              ^
     images  models  +-> attribution, filters ------+

Import the module of the step you are at: ``from hotelviz import catalog, training``.
Nothing is imported here, so that ``hotelviz --help`` does not wait for TensorFlow.
"""

__version__ = "0.2.0"

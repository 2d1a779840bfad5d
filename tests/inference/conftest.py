"""Settings of the property tests of inference: first calls import SciPy, so no deadline per example."""

from hypothesis import settings

settings.register_profile("inference", deadline=None)
settings.load_profile("inference")

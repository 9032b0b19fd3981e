"""What holds for all tests."""

from hypothesis import settings

# A busy machine is slow, not wrong.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

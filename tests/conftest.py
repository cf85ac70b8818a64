"""What holds for every test."""

from hypothesis import settings

pytest_plugins = ["tests.expected_skips"]

# A deadline is a timing figure, and the first example of a property pays for imports: 260 ms once, where 4 were needed.
settings.register_profile("sweetspot", deadline=None)
settings.load_profile("sweetspot")

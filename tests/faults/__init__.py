import pytest

pytest.register_assert_rewrite("tests.faults.faults", "tests.faults.stage")

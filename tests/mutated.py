"""A payload with some of its parts replaced, dropped or doubled, as broken vendors send them."""

from hypothesis import strategies as st

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
    st.sampled_from(
        [{}, [], [{}], [1], {"__class__": "Decimal", "decimal": "x"}, {"__class__": "date"}, "1e999", 10**20]
    ),
    st.sampled_from(
        [{"__class__": "Decimal", "decimal": "-0.004"}, {"__class__": "datetime", "year": 0}, "a,1", -1, 0]
    ),
)


def mutations(data, value):
    """The value after up to four of Hypothesis's changes to it."""
    for _ in range(data.draw(st.integers(0, 4))):
        value = _changed(data, value)
    return value


def _changed(data, value):
    if isinstance(value, dict) and value:
        key = data.draw(st.sampled_from(sorted(value)))
        if data.draw(st.booleans()):
            return value | {key: _changed(data, value[key])}
        return {name: entry for name, entry in value.items() if name != key}
    if isinstance(value, list) and value:
        position = data.draw(st.integers(0, len(value) - 1))
        return [*value[:position], _changed(data, value[position]), *value[position:]]
    return data.draw(ODD)

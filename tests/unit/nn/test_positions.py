import math

import pytest
import torch

from nlpipe.errors import DataError, NlpipeWarning, WiringError
from nlpipe.nn.positions import Learned, Rotary, Sinusoidal, sinusoids


def test_sinusoids_follow_the_formula():
    table = sinusoids(7, 6)
    for position in range(7):
        for i in range(3):
            angle = position / 10000 ** (2 * i / 6)
            assert table[position, 2 * i] == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[position, 2 * i + 1] == pytest.approx(math.cos(angle), abs=1e-6)


def test_sinusoids_of_an_odd_width():
    assert sinusoids(4, 5).shape == (4, 5)
    assert sinusoids(4, 1)[:, 0].tolist() == pytest.approx([math.sin(p) for p in range(4)], abs=1e-6)


def test_sinusoidal_reaches_as_far_as_asked():
    place = Sinusoidal(8)
    x = torch.zeros(2, 700, 8)
    assert torch.equal(place(x)[1], sinusoids(700, 8))
    assert torch.equal(place(x[:, :3], offset=2000)[0], sinusoids(2003, 8)[2000:])


@pytest.mark.parametrize("make", [lambda: Sinusoidal(8), lambda: Rotary(8)])
def test_a_table_that_grew_while_predicting_can_be_trained_with(make):
    place = make()
    with torch.inference_mode():
        place(torch.zeros(1, 1, 500, 8) if isinstance(place, Rotary) else torch.zeros(1, 500, 8))
    x = torch.randn(1, 1, 400, 8, requires_grad=True)
    y = place(x) if isinstance(place, Rotary) else place(x[0])
    y.sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0


def test_learned_adds_its_table_and_names_a_text_that_is_too_long():
    place = Learned(4, 10)
    x = torch.randn(2, 3, 4)
    assert torch.equal(place(x, offset=7), x + place.table[7:10])
    with pytest.raises(DataError, match="11 tokens is longer than the 10 learned positions; raise max_length"):
        place(x, offset=8)
    with pytest.warns(NlpipeWarning, match="11 tokens is longer than the 10 learned positions; the tokens behind"):
        found = place.eval()(x, offset=8)
    assert torch.equal(found, x + place.table[[8, 9, 9]])
    assert torch.equal(place(x, offset=30), x + place.table[9])  # told once


def test_rotary_turns_a_plane():
    x = torch.tensor([1.0, 0.0]).expand(1, 1, 5, 2)
    turned = Rotary(2)(x)[0, 0]
    for position in range(5):
        assert turned[position].tolist() == pytest.approx([math.cos(position), math.sin(position)], abs=1e-6)


def test_rotary_products_depend_on_the_distance_alone():
    rotary = Rotary(16)
    query, key = torch.randn(16), torch.randn(16)

    def product(m, n):
        return (rotary(query.view(1, 1, 1, 16), m) * rotary(key.view(1, 1, 1, 16), n)).sum().item()

    assert product(3, 1) == pytest.approx(product(300, 298), abs=1e-3)
    assert product(0, 5) == pytest.approx(product(90, 95), abs=1e-3)
    assert product(0, 5) != pytest.approx(product(5, 0), abs=1e-3)
    assert rotary(query.view(1, 1, 1, 16), 77).norm().item() == pytest.approx(query.norm().item(), rel=1e-5)


def test_rotary_needs_pairs():
    with pytest.raises(WiringError, match="a head has 5"):
        Rotary(5)

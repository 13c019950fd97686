import gc
import weakref

import numpy as np
import pytest

import uncial


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "uint8", "bool"])
def test_arrays_keep_dtype_shape_and_values(dtype):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    x = uncial.tensor(array)
    assert x.dtype == dtype
    assert x.shape == (2, 3, 4) and x.ndim == 3 and x.size == 24
    np.testing.assert_array_equal(x.numpy(), array)
    assert x.numpy().dtype == array.dtype


@pytest.mark.parametrize(
    "given, dtype", [(2.5, "float32"), (3, "int64"), ([1.0, 2], "float32"), ([[1, 2]], "int64"), (True, "bool")]
)
def test_numbers_and_lists(given, dtype):
    x = uncial.tensor(given)
    assert x.dtype == dtype
    np.testing.assert_allclose(x.numpy(), given)


@pytest.mark.parametrize("dtype, becomes", [("int8", "int32"), ("uint16", "int32"), ("uint32", "int64"), ("float16", "float32")])
def test_dtypes_that_we_lack_become_the_next_larger(dtype, becomes):
    x = uncial.tensor(np.array([1, 2], dtype=dtype))
    assert x.dtype == becomes
    np.testing.assert_array_equal(x.numpy(), [1, 2])


def test_tensor_copies_and_asarray_shares():
    array = np.zeros(3, dtype="float32")
    copy, shared = uncial.tensor(array), uncial.asarray(array)
    array[1] = 5
    assert copy.tolist() == [0, 0, 0]
    assert shared.tolist() == [0, 5, 0]
    shared[2] = 7
    assert array[2] == 7


def test_read_only_arrays_are_copied():
    array = np.zeros(3, dtype="float32")
    array.flags.writeable = False
    x = uncial.asarray(array)
    x[0] = 1
    assert array[0] == 0


@pytest.mark.parametrize("part", [np.s_[::2], np.s_[::-1], np.s_[:, ::-2], np.s_[1:, 1:3], np.s_[:0]])
def test_strided_arrays(part):
    array = np.arange(20, dtype="float32").reshape(4, 5)[part]
    np.testing.assert_array_equal(uncial.asarray(array).numpy(), array)
    np.testing.assert_array_equal(uncial.tensor(array).numpy(), array)
    np.testing.assert_array_equal((uncial.asarray(array) + 1).numpy(), array + 1)


def test_numpy_shares_memory_and_keeps_it_alive():
    x = uncial.zeros((2, 3))
    array = x.numpy()
    array[0, 1] = 4
    assert x[0, 1].item() == 4
    died = weakref.ref(x)
    del x
    gc.collect()
    assert died() is None
    junk = [uncial.ones((2, 3)) for _ in range(100)]  # what would reuse freed memory
    np.testing.assert_array_equal(array, [[0, 4, 0], [0, 0, 0]])
    del junk


def test_a_tensor_keeps_the_array_alive():
    array = np.full((100, 100), 3, dtype="float32")
    x = uncial.asarray(array)
    died = weakref.ref(array)
    del array
    gc.collect()
    assert died() is not None
    assert x.sum().item() == 30000
    del x
    gc.collect()
    assert died() is None


def test_a_view_of_a_temporary_lives_on():
    array = (uncial.ones((64, 64)) + 1).T[3:5].numpy()
    junk = [uncial.zeros((64, 64)) for _ in range(50)]
    assert (array == 2).all()
    del junk


def test_buffer_protocol_and_dlpack():
    x = uncial.arange(6).reshape(2, 3)
    view = memoryview(x)
    assert view.shape == (2, 3) and view.format in ("l", "q")
    assert np.asarray(view).tolist() == [[0, 1, 2], [3, 4, 5]]
    through = np.from_dlpack(x)
    assert through.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert np.shares_memory(np.asarray(x), x.numpy())
    np.testing.assert_array_equal(uncial.from_dlpack(np.arange(3)).numpy(), [0, 1, 2])
    del x
    assert view[1, 2] == 5


def test_torch_and_back():
    torch = pytest.importorskip("torch")
    x = uncial.zeros((2, 2))
    t = torch.from_dlpack(x)
    t[1, 0] = 9
    assert x[1, 0].item() == 9
    back = uncial.from_dlpack(t)
    back[0, 0] = 3
    assert t[0, 0].item() == 3


OPERATORS = ["__add__", "__sub__", "__mul__", "__truediv__", "__pow__", "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"]


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("other_shape", [(3, 4), (4,), (3, 1), ()])
def test_operators_broadcast_like_numpy(name, other_shape, rng):
    a = rng.uniform(0.5, 2, (3, 4))
    b = rng.uniform(0.5, 2, other_shape)
    expected = getattr(a, name)(b)
    np.testing.assert_allclose(getattr(uncial.tensor(a), name)(uncial.tensor(b)).numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(getattr(uncial.tensor(a), name)(b).numpy(), expected, rtol=1e-12)


def test_numbers_and_arrays_on_either_side():
    x = uncial.tensor([1.0, 2.0, 4.0])
    array = np.array([1, 2, 3], dtype="float32")
    assert (2 - x).tolist() == [1, 0, -2]
    assert (1 / x).tolist() == [1, 0.5, 0.25]
    assert (2**x).tolist() == [2, 4, 16]
    assert (x + 1).dtype == "float32"
    for result in (array * x, x * array):
        assert isinstance(result, uncial.Tensor)
        assert result.tolist() == [1, 4, 12]
    assert (-x).tolist() == [-1, -2, -4] and abs(-x).tolist() == [1, 2, 4]
    assert (x == 2).tolist() == [False, True, False]
    assert ((x > 1) & ~(x > 2)).tolist() == [False, True, False]
    with pytest.raises(TypeError):
        x + "text"


def test_matmul(rng):
    a, b = rng.normal(size=(2, 3, 4)), rng.normal(size=(4, 5))
    np.testing.assert_allclose((uncial.tensor(a) @ uncial.tensor(b)).numpy(), a @ b, rtol=1e-12)
    np.testing.assert_allclose((a[0] @ uncial.tensor(b)).numpy(), a[0] @ b, rtol=1e-12)


INDICES = [
    np.s_[1], np.s_[-1], np.s_[1, 2], np.s_[:, 1], np.s_[1:3], np.s_[::2], np.s_[::-1], np.s_[3:0:-2], np.s_[..., 1],
    np.s_[1, ..., 0], np.s_[None], np.s_[:, None, 2], np.s_[..., None], np.s_[[2, 0, 2]], np.s_[:, [1, 0]],
    np.s_[1:3, [0, 0, 2]], np.s_[np.array([[0, 1], [2, 3]])], np.s_[np.array([True, False, True, False])], np.s_[4:9],
    np.s_[-2:], np.s_[:-2], np.s_[()],
]  # fmt: skip


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_indexing_like_numpy(index):
    array = np.arange(4 * 3 * 2).reshape(4, 3, 2)
    np.testing.assert_array_equal(uncial.tensor(array)[index].numpy(), array[index])


def test_masks_of_two_axes_and_tensors_as_indices():
    array = np.arange(12).reshape(4, 3)
    x = uncial.tensor(array)
    np.testing.assert_array_equal(x[array % 2 == 0].numpy(), array[array % 2 == 0])
    np.testing.assert_array_equal(x[x > 6].numpy(), array[array > 6])
    np.testing.assert_array_equal(x[uncial.tensor([3, 0])].numpy(), array[[3, 0]])


def test_assignment_and_views():
    x = uncial.zeros((3, 4))
    x[1] = 5
    x[:, 2] = np.array([1, 2, 3])
    row = x[0]
    row[0] = 9  # a view: shows in x
    np.testing.assert_array_equal(x.numpy(), [[9, 0, 1, 0], [5, 5, 2, 5], [0, 0, 3, 0]])


def test_indices_outside_are_index_errors():
    x = uncial.zeros((3, 4))
    for index in (3, -4, (0, 4), (0, 0, 0)):
        with pytest.raises(IndexError):
            x[index]
    assert [row.shape for row in x] == [(4,)] * 3


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_like_numpy(name, axis, keepdims, rng):
    array = rng.normal(size=(3, 4, 5))
    expected = getattr(array, name)(axis=axis, keepdims=keepdims)
    got = getattr(uncial.tensor(array), name)(axis=axis, keepdims=keepdims)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-12)


def test_argmax_and_var(rng):
    array = rng.normal(size=(3, 4))
    x = uncial.tensor(array)
    assert x.argmax().item() == array.argmax()
    np.testing.assert_array_equal(x.argmax(axis=1).numpy(), array.argmax(axis=1))
    np.testing.assert_allclose(x.var().item(), array.var(), rtol=1e-12)
    np.testing.assert_allclose(x.var(axis=0, unbiased=True).numpy(), array.var(axis=0, ddof=1), rtol=1e-12)


def test_shapes(rng):
    array = rng.normal(size=(2, 3, 4))
    x = uncial.tensor(array)
    np.testing.assert_array_equal(x.reshape(4, -1).numpy(), array.reshape(4, -1))
    np.testing.assert_array_equal(x.reshape((6, 4)).numpy(), array.reshape(6, 4))
    np.testing.assert_array_equal(x.T.numpy(), array.T)
    np.testing.assert_array_equal(x.permute(2, 0, 1).numpy(), array.transpose(2, 0, 1))
    np.testing.assert_array_equal(x.flatten(1).numpy(), array.reshape(2, 12))
    np.testing.assert_array_equal(uncial.concat([x, x], axis=1).numpy(), np.concatenate([array, array], axis=1))
    np.testing.assert_array_equal(uncial.stack([x, x], axis=-1).numpy(), np.stack([array, array], axis=-1))
    np.testing.assert_array_equal(uncial.pad(x, [(0, 0), (1, 0), (0, 2)]).numpy(), np.pad(array, [(0, 0), (1, 0), (0, 2)]))


def test_random_numbers_are_functions_of_the_seed():
    a, b = uncial.randn((1000,), seed=3).numpy(), uncial.randn((1000,), seed=3).numpy()
    np.testing.assert_array_equal(a, b)
    assert abs(a.mean()) < 0.1 and abs(a.std() - 1) < 0.1
    assert (a != uncial.randn((1000,), seed=4).numpy()).any()
    uniform = uncial.rand((1000,), seed=1, low=-1, high=3).numpy()
    assert uniform.min() >= -1 and uniform.max() < 3


def test_python_numbers_and_text():
    x = uncial.tensor([1.5])
    assert float(x) == 1.5 and int(x) == 1 and bool(x) and x.item() == 1.5
    assert isinstance(uncial.tensor(3).item(), int) and uncial.tensor(True).item() is True
    assert repr(uncial.tensor([1, 2])) == "tensor([1, 2], int64)"
    assert "requires_grad" in repr(uncial.tensor([1.0], requires_grad=True))
    assert len({x, x, uncial.tensor([1.5])}) == 2


def test_bfloat16_wants_a_conversion():
    x = uncial.tensor([1.0, 2.0]).to("bfloat16")
    with pytest.raises(uncial.UsageError, match="bfloat16"):
        x.numpy()
    assert x.to(np.float64).tolist() == [1, 2]

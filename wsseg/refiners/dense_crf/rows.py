"""Rows of float32 that stay in vector registers, for loops compiled by numba.

A row holds the numbers of one pixel or lattice point, one per label. Its length is part of its type, and a tuple of
this length (`lanes`; its values do not matter) gives the length. So one function serves every length, and each length
is compiled to straight vector instructions. A row is kept as pieces of 16, 8, 4, 2 and 1 numbers; LLVM maps these to
the processor's vectors.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

WIDEST = 16
FLOAT = ir.FloatType()
INT = ir.IntType(32)

# Polynomial of 2^f on [-0.5, 0.5], constant term first: least squares of the relative error, at most 2e-7 in float32.
EXP2 = (1.0000001, 0.69314694, 0.24022122, 0.055507425, 0.00967546, 0.0013266971)
SMALLEST_EXPONENT = -80.0


def pieces(lanes: int) -> list[int]:
    """Return the widths of the vectors that hold a row.

    Example:
        >>> pieces(20), pieces(3)
        ([16, 4], [2, 1])
    """
    widths, left, width = [], lanes, WIDEST
    while left:
        if width <= left:
            widths.append(width)
            left -= width
        else:
            width //= 2
    return widths


class Row(types.Type):
    """The numba type of a row of `lanes` float32."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(name=f"Row({lanes})")


@register_model(Row)
class RowModel(models.PrimitiveModel):
    """LLVM's form of a row: a structure of vectors."""

    def __init__(self, manager: Any, row: Row) -> None:
        vectors = [ir.VectorType(FLOAT, width) for width in pieces(row.lanes)]
        super().__init__(manager, row, ir.LiteralStructType(vectors))


def _packed(builder: ir.IRBuilder, parts: list) -> ir.Value:
    row = ir.Constant(ir.LiteralStructType([part.type for part in parts]), ir.Undefined)
    for index, part in enumerate(parts):
        row = builder.insert_value(row, part, index)
    return row


def _parts(builder: ir.IRBuilder, row: ir.Value) -> list:
    return [builder.extract_value(row, index) for index in range(len(row.type.elements))]


def _spread(builder: ir.IRBuilder, scalar: ir.Value, width: int) -> ir.Value:
    undefined = ir.Constant(ir.VectorType(FLOAT, width), ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(INT, 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(INT, width), [0] * width))


def _filled(value: float, like: ir.Type) -> ir.Constant:
    return ir.Constant(like, [float(np.float32(value))] * like.count)


def _multiply_add(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """Return a * b + c, in one instruction if the processor has one."""
    kind = ir.FunctionType(a.type, [a.type] * 3)
    name = f"llvm.fmuladd.v{a.type.count}f32"
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [a, b, c])


def _higher(builder: ir.IRBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _addresses(
    context: Any, builder: ir.IRBuilder, kind: types.Array, array: Any, start: Any, lanes: int
) -> Iterator:
    data, offset = context.make_array(kind)(context, builder, array).data, 0
    for width in pieces(lanes):
        address = builder.gep(data, [builder.add(start, ir.Constant(start.type, offset))])
        yield builder.bitcast(address, ir.VectorType(FLOAT, width).as_pointer())
        offset += width


def _each(change: Callable) -> Callable:
    """Return code that applies `change(builder, piece, *others)` to each piece of the first argument, a row."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        row, *others = arguments
        return _packed(builder, [change(builder, part, *others) for part in _parts(builder, row)])

    return emit


def _combined(combine: Callable) -> Callable:
    """Return code that combines all numbers of a row, by combining halves with halves."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, arguments: list) -> ir.Value:
        waiting: dict[int, ir.Value] = {}
        for part in _parts(builder, arguments[0]):
            width = part.type.count
            waiting[width] = combine(builder, waiting[width], part) if width in waiting else part
        width, result = max(waiting), None
        while width:
            part = waiting.get(width)
            if result is not None:
                part = result if part is None else combine(builder, result, part)
            half = width // 2
            if half:
                index = ir.VectorType(INT, half)
                low = builder.shuffle_vector(part, part, ir.Constant(index, list(range(half))))
                high = builder.shuffle_vector(part, part, ir.Constant(index, list(range(half, width))))
                part = combine(builder, low, high)
            result, width = part, half
        return builder.extract_element(result, ir.Constant(INT, 0))

    return emit


@intrinsic
def load(typing, array, start, lanes):
    """Return the row that begins at `array[start]` of a flat float32 array."""

    def emit(context, builder, signature, arguments):
        where = _addresses(context, builder, array, arguments[0], arguments[1], lanes.count)
        return _packed(builder, [builder.load(address, align=4) for address in where])

    return Row(lanes.count)(array, types.intp, lanes), emit


@intrinsic
def store(typing, array, start, row):
    """Write a row to a flat float32 array, from `array[start]` on."""

    def emit(context, builder, signature, arguments):
        where = _addresses(context, builder, array, arguments[0], arguments[1], row.lanes)
        for address, part in zip(where, _parts(builder, arguments[2])):
            builder.store(part, address, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, row), emit


def _in_planes(context, builder, kind, array, points, point, lanes) -> Iterator:
    data, offset = context.make_array(kind)(context, builder, array).data, 0
    for width in pieces(lanes):
        before = builder.mul(points, ir.Constant(points.type, offset))
        start = builder.add(before, builder.mul(point, ir.Constant(point.type, width)))
        address = builder.gep(data, [start])
        yield builder.bitcast(address, ir.VectorType(FLOAT, width).as_pointer())
        offset += width


@intrinsic
def take(typing, array, points, point, lanes):
    """Return the row of a lattice point.

    The first pieces of all points are together in memory, then the second pieces of all points, and so on. So in an
    array that begins at a multiple of 64 bytes, no piece crosses a cache line, for any row length.
    """

    def emit(context, builder, signature, arguments):
        where = _in_planes(context, builder, array, *arguments[:3], lanes.count)
        return _packed(builder, [builder.load(address, align=4) for address in where])

    return Row(lanes.count)(array, types.intp, types.intp, lanes), emit


@intrinsic
def put(typing, array, points, point, row):
    """Write the row of a lattice point, in the order that `take` reads."""

    def emit(context, builder, signature, arguments):
        where = _in_planes(context, builder, array, *arguments[:3], row.lanes)
        for address, part in zip(where, _parts(builder, arguments[3])):
            builder.store(part, address, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, row), emit


@intrinsic
def filled(typing, value, lanes):
    """Return a row whose numbers all have one value."""

    def emit(context, builder, signature, arguments):
        return _packed(builder, [_spread(builder, arguments[0], width) for width in pieces(lanes.count)])

    return Row(lanes.count)(types.float32, lanes), emit


@intrinsic
def add_scaled(typing, row, factor, other):
    """Return row + factor * other."""

    def emit(context, builder, signature, arguments):
        rows = zip(_parts(builder, arguments[0]), _parts(builder, arguments[2]))
        parts = [_multiply_add(builder, _spread(builder, arguments[1], a.type.count), b, a) for a, b in rows]
        return _packed(builder, parts)

    return row(row, types.float32, row), emit


@intrinsic
def scaled(typing, row, factor):
    """Return row * factor."""
    return row(row, types.float32), _each(
        lambda builder, part, factor: builder.fmul(part, _spread(builder, factor, part.type.count))
    )


@intrinsic
def raised(typing, row, amount):
    """Return row + amount."""
    return row(row, types.float32), _each(
        lambda builder, part, amount: builder.fadd(part, _spread(builder, amount, part.type.count))
    )


@intrinsic
def total(typing, row):
    """Return the sum of a row."""
    return types.float32(row), _combined(lambda builder, a, b: builder.fadd(a, b))


@intrinsic
def highest(typing, row):
    """Return the highest number of a row."""
    return types.float32(row), _combined(_higher)


def _exp2(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    ints = ir.VectorType(INT, x.type.count)
    # Adding 1.5 * 2^23 leaves the nearest integer in the lowest bits.
    shifter = _filled(12582912.0, x.type)
    shifted = builder.fadd(x, shifter)
    rest = builder.fsub(x, builder.fsub(shifted, shifter))
    power = _filled(EXP2[-1], x.type)
    for coefficient in EXP2[-2::-1]:
        power = _multiply_add(builder, power, rest, _filled(coefficient, x.type))
    exponent = builder.shl(builder.bitcast(shifted, ints), ir.Constant(ints, [23] * x.type.count))
    result = builder.bitcast(builder.add(builder.bitcast(power, ints), exponent), x.type)
    enough = builder.fcmp_ordered(">", x, _filled(SMALLEST_EXPONENT, x.type))
    return builder.select(enough, result, _filled(0, x.type))


@intrinsic
def exp2(typing, row):
    """Return 2^row for numbers from -inf to 0, to 3e-7. Results below 2^-80 are 0, as denormal numbers are slow."""
    return row(row), _each(_exp2)


def _log2(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    ints = ir.VectorType(INT, x.type.count)

    def whole(value: int) -> ir.Constant:
        return ir.Constant(ints, [value] * x.type.count)

    # x = 2^e * m with m from sqrt(1/2) to sqrt(2); log m = 2 atanh((m - 1) / (m + 1)).
    half_root = int(np.float32(np.sqrt(0.5)).view(np.int32))
    bits = builder.bitcast(x, ints)
    exponent = builder.ashr(builder.sub(bits, whole(half_root)), whole(23))
    m = builder.bitcast(builder.sub(bits, builder.shl(exponent, whole(23))), x.type)
    one = _filled(1, x.type)
    s = builder.fdiv(builder.fsub(m, one), builder.fadd(m, one))
    square = builder.fmul(s, s)
    series = _filled(2 / np.log(2) / 9, x.type)
    for odd in (7, 5, 3, 1):
        series = _multiply_add(builder, series, square, _filled(2 / np.log(2) / odd, x.type))
    return _multiply_add(builder, series, s, builder.sitofp(exponent, x.type))


@intrinsic
def log2(typing, row):
    """Return the logarithm to base 2 of positive numbers. The error is at most 3e-7 * (1 + |result|)."""
    return row(row), _each(_log2)


@intrinsic
def clipped(typing, row, low, high):
    """Return each number, limited to [low, high]; nan becomes `low`."""

    def clip(builder, part, low, high):
        low, high = (_spread(builder, bound, part.type.count) for bound in (low, high))
        part = _higher(builder, part, low)
        return builder.select(builder.fcmp_ordered("<", part, high), part, high)

    return row(row, types.float32, types.float32), _each(clip)

"""Tsai's cameras in XML (PETS 2009, EPFL and others).

Tsai's model (IEEE J. Robotics and Automation RA-3(4), 1987) goes the other way round than OpenCV's: sensor coordinates
*without* distortion are a polynomial of those with it,

    x_u = x_d (1 + κ₁ r_d²),   image x = s_x x_d / d_px + c_x,   image y = y_d / d_py + c_y

in millimetres on the sensor, with x_u = f x_c / z_c and R = R_z R_y R_x. Both models are radial about the same centre,
so the inverse of Tsai's is one function of the radius. OpenCV's rational form is fitted to it over the image: what
remains is far below what any detector sees (less than 0.001 pixels for the PETS 2009 cameras), and more than 0.1 pixels
is refused.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from tracker.errors import InputError
from tracker.geometry.camera import Camera
from tracker.geometry.entries import camera_from_parts
from tracker.geometry.units import ReadingOptions

__all__ = ["is_tsai", "read_tsai", "tsai_distortion"]

Array = NDArray[np.float64]

#: pixels between Tsai's and the fitted model from which a camera is refused
_LARGEST_RESIDUAL = 0.1
_PARTS = {
    "Geometry": ("width", "height", "dpx", "dpy"),
    "Intrinsic": ("focal", "kappa1", "cx", "cy", "sx"),
    "Extrinsic": ("tx", "ty", "tz", "rx", "ry", "rz"),
}


def is_tsai(root: ElementTree.Element) -> bool:
    """Return whether an XML document has Tsai cameras."""
    return bool(_cameras(root))


def read_tsai(root: ElementTree.Element, stem: str, path: str, options: ReadingOptions) -> dict[str, Camera]:
    """Return the cameras of a document, by their ``name`` (``stem`` for one that has none).

    Lengths are millimetres unless the options say otherwise; pixels are taken as they are.

    Raises:
        InputError: an attribute is missing or no number, or the distortion cannot be undone over the image.
    """
    cameras = {}
    for number, element in enumerate(_cameras(root), start=1):
        name = element.get("name") or (stem if number == 1 else f"{stem}-{number}")
        cameras[name] = _camera(element, name, f"{path}: camera {name!r}", options)
    return cameras


def tsai_distortion(kappa1: float, focal: float, reach: float) -> tuple[Array, float]:
    """Return OpenCV's coefficients (8,) of Tsai's distortion, and the largest difference between the two.

    Args:
        kappa1: Tsai's κ₁, per square millimetre.
        focal: millimetres.
        reach: largest distance from the centre, on the sensor, divided by ``focal``.

    Returns:
        k1, k2, 0, 0, k3, k4, k5, k6, and the difference as a share of ``focal`` (times the focal length in pixels:
        pixels).

    Raises:
        InputError: within ``reach`` two distorted radii have the same undistorted one.
    """
    strength = kappa1 * focal**2
    if 1 + 3 * strength * reach**2 <= 0.05:
        raise InputError(f"kappa1 = {kappa1:g} turns the image over before its corners; check kappa1, dpx and dpy")
    distorted = np.linspace(0.0, reach, 400)[1:]
    undistorted = distorted * (1 + strength * distorted**2)
    squared, factor = undistorted**2, distorted / undistorted
    # factor · (1 + k4 s + k5 s² + k6 s³) = 1 + k1 s + k2 s² + k3 s³ is linear in all six; radii are scaled to 1 so
    # that the columns are alike.
    largest = squared[-1]
    powers = np.stack([squared / largest, (squared / largest) ** 2, (squared / largest) ** 3], axis=1)
    system = np.concatenate([powers, -factor[:, None] * powers], axis=1) * undistorted[:, None]
    solution = np.linalg.lstsq(system, (factor - 1) * undistorted, rcond=1e-13)[0]
    k1, k2, k3, k4, k5, k6 = solution / np.tile(largest ** np.arange(1, 4), 2)
    numerator = 1 + squared * (k1 + squared * (k2 + squared * k3))
    denominator = 1 + squared * (k4 + squared * (k5 + squared * k6))
    residual = float(np.abs(undistorted * numerator / denominator - distorted).max())
    return np.array([k1, k2, 0.0, 0.0, k3, k4, k5, k6]), residual


def _camera(element: ElementTree.Element, name: str, label: str, options: ReadingOptions) -> Camera:
    values = {
        attribute: _attribute(element, part, attribute, label)
        for part, attributes in _PARTS.items()
        for attribute in attributes
    }
    focal, width, height = values["focal"], values["width"], values["height"]
    for attribute in ("focal", "width", "height", "dpx", "dpy", "sx"):
        if not values[attribute] > 0:
            raise InputError(f"{label}: {attribute} is {values[attribute]:g}; it must be positive")
    across, down = values["dpx"] / values["sx"], values["dpy"]
    columns = np.array([0.0, width]) - values["cx"]
    rows = np.array([0.0, height]) - values["cy"]
    reach = float(np.hypot(np.abs(columns * across).max(), np.abs(rows * down).max())) / focal
    try:
        distortion, residual = tsai_distortion(values["kappa1"], focal, 1.02 * reach)
    except InputError as error:
        raise InputError(f"{label}: {error}") from None
    pixels = residual * focal / min(across, down)
    if pixels > _LARGEST_RESIDUAL:
        raise InputError(
            f"{label}: kappa1 = {values['kappa1']:g} bends the image more than OpenCV's model can ({pixels:.2f} pixels "
            "are left); undistort the video first"
        )
    intrinsics = np.array([[focal / across, 0, values["cx"]], [0, focal / down, values["cy"]], [0, 0, 1]])
    rotation = np.asarray(Rotation.from_euler("xyz", [values["rx"], values["ry"], values["rz"]]).as_matrix())
    translation = np.array([values["tx"], values["ty"], values["tz"]])
    options = options.otherwise(unit="mm")
    sized = ReadingOptions((int(width), int(height)), options.unit, options.first_pixel_centre)
    return camera_from_parts(name, label, intrinsics, distortion, rotation, translation, sized)


def _attribute(element: ElementTree.Element, part: str, attribute: str, label: str) -> float:
    found = element.find(part)
    text = None if found is None else found.get(attribute)
    if text is None:
        raise InputError(f"{label}: <{part}> has no {attribute}; a Tsai camera needs it")
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise InputError(f"{label}: {attribute} of <{part}> is {text!r}; give a number")
    return value


def _cameras(root: ElementTree.Element) -> list[ElementTree.Element]:
    return [element for element in root.iter() if element.find("Intrinsic") is not None]

"""Small real videos, whole and damaged."""

from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from datamodules.formats.video import open_video


def picture(index, width, height):
    """Grey that names the frame, with a white upper left corner and, at its right, something that costs bytes."""
    image = np.full((height, width, 3), 20 + 6 * (index % 30), np.uint8)
    image[: height // 3, : width // 3] = 255
    noise = np.random.default_rng(index).integers(20, 60, (height // 3, width // 3, 1))
    image[: height // 3, -(width // 3) :] = noise
    return image


def encode(
    path,
    stamps=range(12),
    *,
    codec="libx264",
    size=(64, 48),
    pix_fmt="yuv420p",
    rotation=0,
    sound=False,
    faststart=False,
    **options,
):
    """Write frames at stamps in 25ths of a second."""
    with av.open(str(path), "w", options={"movflags": "faststart"} if faststart else {}) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.options = {"g": "6", **({"qmin": "1", "qmax": "2"} if codec == "mpeg4" else {}), **options}
        stream.codec_context.time_base = Fraction(1, 25)
        if rotation:
            stream.set_display_rotation(rotation)
        track = container.add_stream("aac", rate=48000, layout="mono") if sound else None
        for index, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(picture(index, *size), "rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if track:
            encode_silence(container, track)
    return path


def encode_silence(container, track):
    for index in range(40):
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        samples.sample_rate, samples.pts = 48000, index * 1024
        container.mux(track.encode(samples))
    container.mux(track.encode(None))


def read(path):
    with open_video(path) as video:
        return video, list(video)


def shown(frames):
    """The indices that the frames' pictures name."""
    return [round((float(frame.image[-12:, -12:].mean()) - 20) / 6) for frame in frames]


def blank(path, start, stop):
    """Overwrite a part of a file, from and to a fraction of its length."""
    data = bytearray(path.read_bytes())
    first, last = int(len(data) * start), int(len(data) * stop)
    data[first:last] = bytes(last - first)
    path.write_bytes(data)
    return path


def trim(path, source, frames):
    """Copy the packets so that the first frames are hidden by an edit list."""
    with av.open(str(source)) as whole, av.open(str(path), "w") as container:
        stream = whole.streams.video[0]
        copy = container.add_stream_from_template(stream)
        shift = int(frames / 25 / stream.time_base)
        for packet in whole.demux(stream):
            if packet.size:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                container.mux(packet)
    return path


@pytest.fixture(scope="session")
def clips():
    """Return the functions of this file: test files cannot import each other."""
    return SimpleNamespace(
        picture=picture, encode=encode, encode_silence=encode_silence, read=read, shown=shown, blank=blank, trim=trim
    )


def dicom_slice(array, position=(0.0, 0.0, 0.0), **elements):
    """A CT slice [rows, columns] as a data set; elements replace its own, None removes one."""
    from pydicom import FileDataset, uid
    from pydicom.dataset import FileMetaDataset

    dataset = FileDataset("", {}, preamble=bytes(128), file_meta=FileMetaDataset())
    values = {
        "SOPClassUID": uid.CTImageStorage,
        "SOPInstanceUID": uid.generate_uid(),
        "StudyInstanceUID": "1.2.3",
        "SeriesInstanceUID": "1.2.3.4",
        "Modality": "CT",
        "PatientID": "P1",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "SeriesDescription": "thorax",
        "SeriesNumber": 4,
        "ImagePositionPatient": [float(value) for value in position],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [0.75, 0.5],
        "SliceThickness": 2,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": array.shape[-2],
        "Columns": array.shape[-1],
        "BitsAllocated": array.dtype.itemsize * 8,
        "BitsStored": array.dtype.itemsize * 8,
        "HighBit": array.dtype.itemsize * 8 - 1,
        "PixelRepresentation": int(array.dtype.kind == "i"),
    }
    for keyword, value in {**values, **elements}.items():
        if value is not None:
            setattr(dataset, keyword, value)
    data = np.ascontiguousarray(array).tobytes()
    dataset.PixelData = data + bytes(len(data) % 2)
    dataset["PixelData"].VR = "OW" if array.dtype.itemsize > 1 else "OB"
    dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID") or uid.CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID") or uid.generate_uid()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    return dataset


def dicom_series(folder, voxels, step=(0.0, 0.0, 2.0), first=(-10.0, 20.0, 30.0), prefix="", **elements):
    """Write [slices, rows, columns] as a file per slice, in an order of names that is not that of the places."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, array in enumerate(voxels):
        position = np.add(first, np.multiply(index, step))
        dataset = dicom_slice(array, position, InstanceNumber=99 - index, **elements)
        paths.append(folder / f"{prefix}{(index * 7 + 3) % 10}_{index}.dcm")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


def dicom_enhanced(path, voxels, step=(0.0, 0.0, 2.0), first=(-10.0, 20.0, 30.0), rescale=((1, -1024),), **elements):
    """Write [frames, rows, columns] as one enhanced file, whose last frame is the lowest slice."""
    from pydicom import Dataset, uid

    place = dict.fromkeys(("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"))
    plain = {**place, "RescaleSlope": None, "RescaleIntercept": None, "SOPClassUID": uid.EnhancedCTImageStorage}
    dataset = dicom_slice(voxels, **{**plain, "NumberOfFrames": len(voxels), **elements})

    def item(**values):
        nested = Dataset()
        for keyword, value in values.items():
            setattr(nested, keyword, [value] if isinstance(value, Dataset) else value)
        return nested

    dataset.SharedFunctionalGroupsSequence = [
        item(
            PlaneOrientationSequence=item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
            PixelMeasuresSequence=item(PixelSpacing=[0.75, 0.5], SliceThickness=2),
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = [
        item(
            FrameContentSequence=item(TemporalPositionIndex=1, StackID="1"),
            PlanePositionSequence=item(
                ImagePositionPatient=np.add(first, np.multiply(len(voxels) - 1 - index, step)).tolist()
            ),
            PixelValueTransformationSequence=item(
                RescaleSlope=rescale[index % len(rescale)][0], RescaleIntercept=rescale[index % len(rescale)][1]
            ),
        )
        for index in range(len(voxels))
    ]
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture(scope="session")
def dicoms():
    """Return the writers of DICOM files."""
    return SimpleNamespace(slice=dicom_slice, series=dicom_series, enhanced=dicom_enhanced)

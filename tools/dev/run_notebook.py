"""Run the notebook of the documents, and keep in its file what it shows: for who reads it unrun.

python tools/dev/run_notebook.py      needs the extra 'notebook', and about three minutes

Pictures become JPEG, for a file of a size to commit; bars of progress and warnings are left out.
"""

import base64
import io
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

from mmdet_lrm.training.files import write_whole

NOTEBOOK = Path(__file__).resolve().parents[2] / 'docs' / 'first-steps.ipynb'
SECONDS_OF_CELL = 1800


def run(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """With the outputs of its cells, which write to a folder."""
    client = NotebookClient(
        notebook,
        timeout=SECONDS_OF_CELL,
        record_timing=False,
        coalesce_streams=True,
        resources={'metadata': {'path': str(folder)}},
    )
    return client.execute()


def shown(notebook: NotebookNode) -> NotebookNode:
    """What a reader is shown of the outputs, small."""
    # The interpreter's version would be another one at every run.
    notebook.metadata.language_info = {'name': 'python'}
    for cell in notebook.cells:
        if cell.cell_type == 'code':
            cell.outputs = [each for each in cell.outputs if each.get('name') != 'stderr']
            for output in cell.outputs:
                if picture := output.get('data', {}).pop('image/png', None):
                    output.data['image/jpeg'] = as_jpeg(picture)
                    output.metadata['image/jpeg'] = output.metadata.pop('image/png', {})
    return notebook


def as_jpeg(png: str) -> str:
    """Both in the letters of base64, as a notebook holds them."""
    found = io.BytesIO()
    image = Image.open(io.BytesIO(base64.b64decode(png)))
    image.convert('RGB').save(found, 'JPEG', quality=80)
    return base64.b64encode(found.getvalue()).decode()


def main() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        run(notebook, Path(folder))
    write_whole(NOTEBOOK, nbformat.writes(shown(notebook)) + '\n')


if __name__ == '__main__':
    main()

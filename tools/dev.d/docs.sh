# The site of the docs, and the environment it is made in.

dev_docs() {
  cd "$ROOT"
  python3 tools/checks/links.py
  prepare_venv venv-docs "$(grep -v '^#' tools/docs/requirements.txt | tr '\n' ' ')"
  python3 tools/docs/stage.py build/site-pages
  # Not --quiet: what is not logged is not counted by --strict.
  build/venv-docs/bin/mkdocs build --strict --config-file tools/docs/mkdocs.yml
  echo "docs: build/site/index.html"
}

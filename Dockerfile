# uncial in a container; docs/docker.md says how to use it, docs/decisions/0015-containers.md why it is so.
#
#   docker build -t uncial .                            JupyterLab with the notebooks: `lab`, the last stage
#   docker build -t uncial-programs --target runtime .  the programs alone
#
# For NVIDIA GPUs docker-compose.gpu.yml passes UNCIAL_CUDA=ON and names CUDA's images, with the toolkit as
# BUILD_IMAGE and without it as BASE_IMAGE. Written for the classic builder, too: no heredocs, no RUN --mount.
ARG BASE_IMAGE=debian:bookworm-slim
ARG BUILD_IMAGE=${BASE_IMAGE}

# ---- build: the library, once, shared by the programs and the Python package
FROM ${BUILD_IMAGE} AS build
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ARG APT_MIRROR=
WORKDIR /src
COPY docker/apt_install.sh /usr/local/sbin/apt_install
COPY scripts/install_dependencies.sh scripts/build.sh scripts/
RUN apt_install ca-certificates && scripts/install_dependencies.sh

COPY CMakeLists.txt CMakePresets.json LICENSE THIRD_PARTY.md run_pipeline.sh ./
COPY cmake cmake/
COPY include include/
COPY kernels kernels/
COPY src src/
COPY examples examples/
COPY data data/
ARG UNCIAL_CUDA=OFF
ARG CUDA_ARCHITECTURES=
ARG JOBS=
RUN scripts/build.sh release all -- -DBUILD_SHARED_LIBS=ON -DUNCIAL_TESTS=OFF -DUNCIAL_BENCHMARKS=OFF \
      "-DUNCIAL_CUDA=${UNCIAL_CUDA}" "-DCMAKE_CUDA_ARCHITECTURES=${CUDA_ARCHITECTURES}" \
 && cmake --install build/release --prefix /opt/uncial --strip

# What a container needs of it, readable for all whatever the clone is, and the Debian packages that its programs load.
COPY docker/runtime_packages.sh docker/
RUN cp -a /opt/uncial /opt/runtime \
 && rm -r /opt/runtime/include /opt/runtime/lib/cmake /opt/runtime/lib/pkgconfig \
 && chmod -R a+rX /opt/uncial /opt/runtime \
 && docker/runtime_packages.sh /opt/runtime >/opt/runtime_packages.txt

# ---- runtime: the programs and the pipeline
FROM ${BASE_IMAGE} AS runtime
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ARG APT_MIRROR=
COPY docker/apt_install.sh /usr/local/sbin/apt_install
COPY --from=build /opt/runtime_packages.txt /opt/
RUN xargs -a /opt/runtime_packages.txt apt_install tini ca-certificates
# Ubuntu's images come with a user of this number.
RUN if owner=$(getent passwd 1000); then userdel "${owner%%:*}"; fi \
 && groupadd --gid 1000 uncial \
 && useradd --uid 1000 --gid 1000 --create-home --shell /bin/bash uncial \
 && install --directory --owner=1000 --group=1000 \
      /workspace /workspace/data /workspace/models /workspace/figures /workspace/notebooks
COPY --from=build /opt/runtime /opt/uncial/
RUN echo /opt/uncial/lib >/etc/ld.so.conf.d/uncial.conf && ldconfig
COPY docker/entrypoint.sh /usr/local/bin/uncial-entrypoint
RUN chmod 755 /usr/local/bin/uncial-*
ENV PATH=/opt/uncial/bin:$PATH LANG=C.UTF-8 UNCIAL_DATA=/workspace/data
WORKDIR /workspace
USER 1000:1000
# tini is process 1: it hands signals on, which saves a checkpoint, and buries orphans.
ENTRYPOINT ["tini", "--", "uncial-entrypoint"]
CMD ["pipeline"]

# ---- python: JupyterLab and the Python package in a virtual environment
FROM build AS python
RUN apt_install python3-dev python3-venv
ARG PIP_INDEX_URL=
ARG PIP_EXTRA_INDEX_URL=
ARG PIP_TRUSTED_HOST=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY notebooks/requirements.txt notebooks/
RUN python3 -m venv /opt/venv && /opt/venv/bin/pip install -r notebooks/requirements.txt
COPY pyproject.toml ./
COPY python python/
COPY docker/overrides.json /opt/venv/share/jupyter/lab/settings/
RUN chmod -R a+rX /opt/venv/share/jupyter/lab/settings \
 && /opt/venv/bin/pip install --config-settings=cmake.define.UNCIAL_PYTHON_LIBRARY=FIND \
      --config-settings=cmake.define.uncial_ROOT=/opt/uncial .

# ---- lab: the programs, JupyterLab and the notebooks
FROM runtime AS lab
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
USER 0:0
RUN apt_install python3
COPY --from=python /opt/venv /opt/venv/
# What the notebooks point to.
COPY README.md /workspace/
COPY docs /workspace/docs/
COPY examples /workspace/examples/
COPY notebooks /opt/uncial/share/uncial/notebooks/
# A list of what is handed out, by which a later image knows what nobody has changed.
WORKDIR /opt/uncial/share/uncial/notebooks
RUN chmod -R a+rX . /workspace \
 && find . -type f ! -name .shipped -print0 | sort -z | xargs -0 sha256sum >/tmp/shipped && mv /tmp/shipped .shipped \
 && cp -a . /workspace/notebooks/ && chown -R 1000:1000 /workspace/notebooks
COPY docker/lab.sh /usr/local/bin/uncial-lab
COPY docker/update_notebooks.sh /usr/local/bin/uncial-update-notebooks
COPY docker/healthcheck.sh /usr/local/bin/uncial-healthcheck
RUN chmod 755 /usr/local/bin/uncial-*
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /workspace
USER 1000:1000
EXPOSE 8888
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=3 CMD ["uncial-healthcheck"]
CMD ["lab"]

# zrank serve on NVIDIA GPUs (driver 580 or later, NVIDIA's container toolkit), without root:
#   docker build --file cuda.Dockerfile --tag zrank-cuda .
#   docker run --gpus all --publish 8080:8080 --volume models:/models zrank-cuda serve --host 0.0.0.0 --device cuda --model zerank-2 --pull
ARG NODE=22-bookworm-slim
ARG PYTHON=3.13-slim-bookworm

# ONNX Runtime's CUDA provider and the libraries of CUDA 13 that it needs; Python itself is not taken along.
FROM python:${PYTHON} AS cuda
RUN python3 -m venv /opt/cuda \
    && /opt/cuda/bin/pip install --no-cache-dir --no-deps onnxruntime-gpu==1.30.0 \
        'nvidia-cublas==13.*' 'nvidia-cuda-runtime==13.*' 'nvidia-curand==10.*' \
    && find /opt/cuda -type f ! -name '*.so*' ! -name build_and_package_info.py -delete

FROM node:${NODE}
COPY --from=cuda /opt/cuda/lib /opt/cuda/lib
WORKDIR /srv/zrank
# tokenizers has its library for a dozen platforms.
RUN npm install --ignore-scripts --no-audit --no-fund zrank fastify prom-client \
    && find node_modules/tokenizers -name '*.node' ! -name '*.linux-*-gnu.node' -delete \
    && npm cache clean --force \
    && install --directory --owner node --group node /models

ENV NODE_ENV=production HF_HOME=/models PATH=/srv/zrank/node_modules/.bin:${PATH} VIRTUAL_ENV=/opt/cuda \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
VOLUME /models
USER node
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --start-period=5m \
    CMD ["node", "--eval", "fetch('http://127.0.0.1:8080/ready').then(({ ok }) => process.exit(ok ? 0 : 1))"]
ENTRYPOINT ["zrank"]
# The embedded zrank-small runs on processors alone.
CMD ["serve", "--host", "0.0.0.0", "--device", "cuda", "--model", "zrank-tiny"]

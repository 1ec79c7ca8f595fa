# zrank serve on processors, without root. Models lie in a volume, in Hugging Face's cache layout:
#   docker build --file cpu.Dockerfile --tag zrank .
#   docker run --publish 8080:8080 --volume models:/models zrank serve --host 0.0.0.0 --model zerank-2 --pull
ARG NODE=22-bookworm-slim
FROM node:${NODE}

WORKDIR /srv/zrank
# tokenizers has its library for a dozen platforms.
RUN npm install --ignore-scripts --no-audit --no-fund zrank fastify prom-client \
    && find node_modules/tokenizers -name '*.node' ! -name '*.linux-*-gnu.node' -delete \
    && npm cache clean --force \
    && install --directory --owner node --group node /models

ENV NODE_ENV=production HF_HOME=/models PATH=/srv/zrank/node_modules/.bin:${PATH}
VOLUME /models
USER node
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --start-period=5m \
    CMD ["node", "--eval", "fetch('http://127.0.0.1:8080/ready').then(({ ok }) => process.exit(ok ? 0 : 1))"]
ENTRYPOINT ["zrank"]
CMD ["serve", "--host", "0.0.0.0"]

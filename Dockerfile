# One server of oneround. It keeps its ledger in /data, or in the Postgres that DATABASE_URL names.
FROM node:22-bookworm AS build
WORKDIR /app
COPY package.json package-lock.json ./
COPY apps/server/package.json apps/server/
COPY apps/web/package.json apps/web/
COPY packages/client/package.json packages/client/
COPY packages/fl-core/package.json packages/fl-core/
COPY packages/lora/package.json packages/lora/
# Not `npm ci`: docs/architecture.md, "Choices worth knowing".
RUN npm install --no-audit --no-fund
COPY . .
RUN npx vite build && npm prune --omit=dev --no-audit --no-fund
RUN node scripts/compile.mjs apps/server/src/cli/main.ts apps/server/src/*/*-thread.ts

FROM node:22-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app .
RUN mkdir -m 700 /data && chown node /data
USER node
VOLUME /data
EXPOSE 8787
HEALTHCHECK --start-period=60s CMD ["node", "-e", "fetch('http://127.0.0.1:8787/readyz').then(({ ok }) => process.exit(ok ? 0 : 1))"]
ENTRYPOINT ["node", "apps/server/bin/oneround.mjs"]
CMD ["serve", "--host", "0.0.0.0", "--data", "/data", "--log-level", "info", "--log-format", "json"]

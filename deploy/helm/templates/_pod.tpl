{{/* What every pod has: an unprivileged user, no writable disk, the configuration and its Secrets. */}}
{{- define "milepost.pod" -}}
automountServiceAccountToken: false
securityContext: {runAsNonRoot: true, runAsUser: 10001, fsGroup: 10001, seccompProfile: {type: RuntimeDefault}}
volumes:
  - name: config
    configMap: {name: {{ .root.Release.Name }}-config}
  - name: secrets
    projected:
      sources:
        {{- range .process.secrets }}
        - secret: {name: {{ . }}}
        {{- end }}
  {{- with .root.Values.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "milepost.container" -}}
image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag }}"
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
env:
  {{- range $name, $value := .process.env }}
  - {name: {{ $name }}, value: {{ $value | quote }}}
  {{- end }}
  - {name: MILEPOST_CONFIG, value: /etc/milepost/milepost.yaml}
volumeMounts:
  - {name: config, mountPath: /etc/milepost, readOnly: true}
  - {name: secrets, mountPath: /run/secrets, readOnly: true}
  {{- with .root.Values.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
